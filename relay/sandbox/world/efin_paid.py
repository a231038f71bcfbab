"""Payments through an electronic finance house (전금-101 to 103): accounts, means of payment, things bought."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from relay.sandbox.world.days import DAY, month_end, month_later, months_between
from relay.sandbox.world.model import Absent, Ask, Story
from relay.sandbox.world.months import day_window, first
from relay.sandbox.world.owned import owned, the_one
from relay.sandbox.world.street import CARD_HOUSE, NET_SHOPS, Shop, digits, opaque, own_account, shopping

_CARD: Final = "6101"
_TRANSFER: Final = "6102"
_POINTS: Final = "6103"
_BY_SLIP: Final = "6104"
# 6101 is taken back by 6201, and so on.
_TAKEN_BACK: Final = 100
_REGISTERED: Final = (_CARD, _CARD, _CARD, _TRANSFER, _TRANSFER, _POINTS)
_BACK_ONE_IN: Final = 12
_IN_PARTS_FROM: Final = 50_000
_IN_PARTS_ONE_IN: Final = 3
_PARTS: Final = (2, 3, 6)
_MEMOS: Final = ("생일선물", "사무실 비품", "집들이", "주말 준비")


@dataclass(frozen=True, slots=True)
class Account:
    """An account; a `guest` has no means of payment registered and pays by slip."""

    sub_key: str
    account_id: str
    opened: date
    guest: bool
    orders: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment, or (with a kind of 62xx) a payment taken back, of an order."""

    kind: str
    order: str
    at: datetime
    amount: int
    shop: Shop
    goods: str
    parts: int | None
    memo: str | None

    @property
    def means(self) -> str:
        """What it was paid with, whether paid or taken back."""
        return self.kind if self.kind[1] == "1" else str(int(self.kind) - _TAKEN_BACK)


# account id, guest, orders a month
_ACCOUNTS: Final = {
    1: (("garam-0314", False, (42, 58)),),
    2: (("narae1102", False, (8, 18)), ("narae.guest", True, (0, 2))),
    3: (("daon.park", False, (14, 30)),),
}


def accounts(ask: Ask) -> tuple[Account, ...]:
    """The customer's accounts."""
    return tuple(_account(ask, *account) for account in owned(_ACCOUNTS, ask))


def _account(ask: Ask, name: str, guest: bool, orders: tuple[int, int]) -> Account:
    opened = ask.customer.since + timedelta(days=ask.dice("paid", name).randrange(30, 500))
    return Account(opaque(ask.dice("sub_key", name)), name, opened, guest, orders)


def _asked(ask: Ask) -> Account:
    return the_one(accounts(ask), lambda account: account.sub_key == ask.params.get("sub_key"))


def _list(ask: Ask) -> dict[str, Any]:
    rows = [
        {
            "sub_key": account.sub_key,
            "account_id": account.account_id,
            "is_consent": True,
            "reg_date": account.opened,
            "is_pay": not account.guest,
        }
        for account in accounts(ask)
    ]
    return {"account_list": rows}


def _means(ask: Ask) -> dict[str, tuple[str, str]]:
    card = f"9{digits(ask.dice('means'), 3)}-****-****-{digits(ask.dice('means', 'card'), 4)}"
    return {_CARD: (CARD_HOUSE, card), _TRANSFER: own_account(ask)}


def _methods(ask: Ask) -> dict[str, Any]:
    if _asked(ask).guest:
        raise Absent(403, "40301", "결제수단이 등록되지 않은 계정")
    rows = [
        {"pay_org_code": house, "pay_id": number, "is_primary": kind == _CARD}
        for kind, (house, number) in _means(ask).items()
    ]
    return {"pay_list": rows}


def _transactions(ask: Ask) -> dict[str, Any]:
    account = _asked(ask)
    start, end = day_window(ask)
    months = months_between(max(start, month_later(first(account.opened), 1)), end)
    told = [payment for month in months for payment in _month(ask, account, month)]
    means = _means(ask)
    rows = [_row(payment, *means.get(payment.means, (None, None))) for payment in told]
    return {"trans_list": [row for row in rows if start <= row["trans_dtime"].date() <= end][::-1]}


def _row(payment: Payment, house: str | None, number: str | None) -> dict[str, Any]:
    return {
        "trans_type": payment.kind,
        "trans_num": payment.order,
        "trans_dtime": payment.at,
        "trans_no": f"{payment.order}-{payment.kind}",
        "trans_amt": Decimal(payment.amount),
        "trans_org_code": house,
        "pay_id": number,
        "total_install_cnt": payment.parts,
        "trans_memo": payment.memo,
        "merchant_name": payment.shop.name,
        "merchant_regno": payment.shop.regno,
        "trans_title": payment.goods,
        "trans_category": payment.shop.kind,
        "pay_method": payment.shop.pay_method,
    }


def _month(ask: Ask, account: Account, month: date) -> list[Payment]:
    return sorted(_unsorted_month(ask, account, month), key=lambda payment: payment.at)


def _unsorted_month(ask: Ask, account: Account, month: date) -> Iterator[Payment]:
    """All payments of a month and those taken back within it; told whole, so that every window sees the same."""
    dice = ask.dice("orders", account.account_id, month)
    end = month_end(month)
    for count in range(dice.randint(*account.orders)):
        shop, at, price = shopping(dice, month.replace(day=dice.randint(1, end.day)), NET_SHOPS)
        kind = _BY_SLIP if account.guest else dice.choice(_REGISTERED)
        order = f"{at:%Y%m%d}-{count:03d}{digits(dice, 5)}"
        in_parts = kind == _CARD and price >= _IN_PARTS_FROM and dice.randrange(_IN_PARTS_ONE_IN) == 0
        parts = dice.choice(_PARTS) if in_parts else None
        goods, memo = dice.choice(shop.goods), dice.choice(_MEMOS) if dice.randrange(4) == 0 else None
        yield Payment(kind, order, at, price, shop, goods, parts, memo)
        back = at + dice.randint(1, 6) * DAY
        if dice.randrange(_BACK_ONE_IN) == 0 and back.date() <= end:
            yield Payment(str(int(kind) + _TAKEN_BACK), order, back, price, shop, goods, parts, memo)


STORIES: Final[dict[str, Story]] = {
    "전금-101": _list,
    "전금-102": _methods,
    "전금-103": _transactions,
}
