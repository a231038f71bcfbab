"""A telephone company (통신, 규격 4.2.9): a mobile phone and a home line, their bills, and purchases on the bill."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from relay.sandbox.world.days import DAY, month_end, month_later, months_between
from relay.sandbox.world.model import Ask, Story
from relay.sandbox.world.months import asked_month, clock, code, day_window, first, month_window, on, yesterday
from relay.sandbox.world.owned import owned, the_one
from relay.sandbox.world.street import NET_SHOPS, Shop

_MOBILE: Final = "01"
_HOME: Final = "02"
_INTERNET: Final = "03"
_NORMAL: Final = "01"
_BY_ITSELF: Final = "01"
_BY_SLIP: Final = "02"
_CANCELLED_ONE_IN: Final = 12
_SMALL_CHANGE: Final = tuple(shop for shop in NET_SHOPS if shop.kind in {"L1", "K1", "E1"})
_MOST_AT_ONCE: Final = 13_000


@dataclass(frozen=True, slots=True)
class Contract:
    """A line: its monthly fee, the day the bill is due, how it is paid, how many purchases a month go on its bill."""

    mgmt_id: str
    number: str
    kind: str
    fee: int
    day: int
    pay_method: str
    since: date
    purchases: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Purchase:
    """Something bought on the phone's bill; what was cancelled is told again with a minus."""

    at: datetime
    amount: int
    shop: Shop
    goods: str


# Which lines each customer has: kind, monthly fee, purchases a month. Customer 3 plays on the phone every evening.
_LINES: Final = {
    1: ((_MOBILE, 69_000, (5, 11)), (_INTERNET, 38_500, (0, 1))),
    2: ((_MOBILE, 55_000, (9, 16)), (_MOBILE, 24_200, (0, 3))),
    3: ((_MOBILE, 89_000, (46, 58)), (_HOME, 13_200, (0, 1)), (_INTERNET, 41_800, (0, 1))),
}
_PREFIX: Final = {_MOBILE: "010-{:02d}**-**{:02d}", _HOME: "02-{:02d}**-**{:02d}", _INTERNET: "5{:02d}*****{:02d}"}


def contracts(ask: Ask) -> tuple[Contract, ...]:
    """The customer's lines."""
    return tuple(_contract(ask, number, *line) for number, line in enumerate(owned(_LINES, ask), 1))


def _contract(ask: Ask, number: int, kind: str, fee: int, purchases: tuple[int, int]) -> Contract:
    dice = ask.dice("line", number)
    return Contract(
        mgmt_id=f"7{dice.randrange(10**12):012d}{number:02d}",
        number=_PREFIX[kind].format(dice.randrange(20, 100), dice.randrange(100)),
        kind=kind,
        fee=fee,
        day=dice.choice((15, 21, 25)),
        pay_method=_BY_SLIP if kind == _HOME else _BY_ITSELF,
        since=month_later(first(ask.customer.since), dice.randrange(3, 20)),
        purchases=purchases,
    )


def _asked(ask: Ask) -> Contract:
    return the_one(contracts(ask), lambda contract: contract.mgmt_id == ask.params.get("mgmt_id"))


def _list(ask: Ask) -> dict[str, Any]:
    rows = [
        {
            "mgmt_id": contract.mgmt_id,
            "is_consent": True,
            "telecom_num": contract.number,
            "type": contract.kind,
            "status": _NORMAL,
        }
        for contract in contracts(ask)
    ]
    return {"telecom_list": rows}


def _bill(ask: Ask) -> dict[str, Any]:
    contract = _asked(ask)
    month = asked_month(ask, "charge_month")
    return {"charge_amt": _charged(ask, contract, month), "charge_date": on(month, contract.day)}


def _charged(ask: Ask, contract: Contract, month: date) -> int:
    """A month's bill: the fee and what was bought the month before; nothing before the line or after this month."""
    if not contract.since < month <= first(ask.today):
        return 0
    return contract.fee + sum(purchase.amount for purchase in _purchases(ask, contract, month_later(month, -1)))


def _payments(ask: Ask) -> dict[str, Any]:
    contract = _asked(ask)
    start, end = month_window(ask)
    rows = [
        {
            "trans_month": code(month),
            "paid_amt": _charged(ask, contract, month),
            "pay_method": contract.pay_method,
        }
        for month in months_between(max(start, month_later(contract.since, 1)), end)
        if on(month, contract.day) <= yesterday(ask)
    ]
    return {"trans_list": rows[::-1]}


def _paid(ask: Ask) -> dict[str, Any]:
    contract = _asked(ask)
    start, end = day_window(ask)
    rows = [
        purchase
        for month in months_between(max(start, contract.since), end)
        for purchase in _purchases(ask, contract, month)
        if start <= purchase.at.date() <= end
    ]
    return {"trans_list": [_row(purchase) for purchase in rows[::-1]]}


def _row(purchase: Purchase) -> dict[str, Any]:
    return {
        "trans_date": purchase.at,
        "trans_amt": purchase.amount,
        "merchant_name": purchase.shop.name,
        "trans_title": purchase.goods,
    }


def _purchases(ask: Ask, contract: Contract, month: date) -> list[Purchase]:
    """All purchases of a month in their order; told whole, so that every window sees the same ones."""
    return sorted(_month(ask, contract, month), key=lambda purchase: purchase.at)


def _month(ask: Ask, contract: Contract, month: date) -> Iterator[Purchase]:
    dice = ask.dice("purchases", contract.mgmt_id, month)
    for _ in range(dice.randint(*contract.purchases)):
        shop = dice.choice(_SMALL_CHANGE)
        moment = clock(on(month, dice.randrange(1, 32)), dice.randrange(7, 24), dice.randrange(60), dice.randrange(60))
        amount = dice.randrange(shop.least, min(shop.most, _MOST_AT_ONCE), shop.step)
        goods = dice.choice(shop.goods)
        yield Purchase(moment, amount, shop, goods)
        # A cancellation stays within the month of its purchase: no bill ends below the fee.
        back = moment + dice.randrange(1, 4) * DAY
        if dice.randrange(_CANCELLED_ONE_IN) == 0 and back.date() <= month_end(month):
            yield Purchase(back, -amount, shop, goods)


STORIES: Final[dict[str, Story]] = {
    "통신-001": _list,
    "통신-002": _bill,
    "통신-003": _payments,
    "통신-004": _paid,
}
