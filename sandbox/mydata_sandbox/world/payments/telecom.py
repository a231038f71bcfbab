"""A telecom company (통신, 규격 4.2.9): contracts, bills, and purchases charged to the bill."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from mydata_sandbox.world.counterparties import ONLINE_MERCHANTS, Merchant
from mydata_sandbox.world.days import DAY, add_months, get_month_end, iter_months
from mydata_sandbox.world.lookup import find_asset, get_owned
from mydata_sandbox.world.model import DataHandler, DataRequest
from mydata_sandbox.world.months import (
    format_month,
    get_day,
    get_yesterday,
    parse_day_window,
    parse_month,
    parse_month_window,
    to_datetime,
    to_month,
)

_MOBILE: Final = "01"
_HOME: Final = "02"
_INTERNET: Final = "03"
_NORMAL: Final = "01"
_AUTOMATIC: Final = "01"
_BY_SLIP: Final = "02"
_CANCELLED_ONE_IN: Final = 12
_MICROPAYMENT_MERCHANTS: Final = tuple(merchant for merchant in ONLINE_MERCHANTS if merchant.kind in {"L1", "K1", "E1"})
_MAX_PAYMENT: Final = 13_000


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract: monthly fee, due day of the bill, payment method, and the range of purchases a month."""

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
    """A purchase charged to the bill; a cancellation is a second one with a negative amount."""

    moment: datetime
    amount: int
    merchant: Merchant
    goods: str


# The contracts of each customer: kind, monthly fee, purchases a month. Customer 3 has more than two pages a month.
_CONTRACTS: Final = {
    1: ((_MOBILE, 69_000, (5, 11)), (_INTERNET, 38_500, (0, 1))),
    2: ((_MOBILE, 55_000, (9, 16)), (_MOBILE, 24_200, (0, 3))),
    3: ((_MOBILE, 89_000, (46, 58)), (_HOME, 13_200, (0, 1)), (_INTERNET, 41_800, (0, 1))),
}
_PREFIX: Final = {_MOBILE: "010-{:02d}**-**{:02d}", _HOME: "02-{:02d}**-**{:02d}", _INTERNET: "5{:02d}*****{:02d}"}


def list_contracts(request: DataRequest) -> tuple[Contract, ...]:
    """Returns the customer's contracts."""
    return tuple(
        _build_contract(request, number, *contract) for number, contract in enumerate(get_owned(_CONTRACTS, request), 1)
    )


def _build_contract(request: DataRequest, number: int, kind: str, fee: int, purchases: tuple[int, int]) -> Contract:
    rng = request.build_random("line", number)
    return Contract(
        mgmt_id=f"7{rng.randrange(10**12):012d}{number:02d}",
        number=_PREFIX[kind].format(rng.randrange(20, 100), rng.randrange(100)),
        kind=kind,
        fee=fee,
        day=rng.choice((15, 21, 25)),
        pay_method=_BY_SLIP if kind == _HOME else _AUTOMATIC,
        since=add_months(to_month(request.customer.since), rng.randrange(3, 20)),
        purchases=purchases,
    )


def _find_contract(request: DataRequest) -> Contract:
    return find_asset(list_contracts(request), lambda contract: contract.mgmt_id == request.params.get("mgmt_id"))


def _list_assets(request: DataRequest) -> dict[str, Any]:
    rows = [
        {
            "mgmt_id": contract.mgmt_id,
            "is_consent": True,
            "telecom_num": contract.number,
            "type": contract.kind,
            "status": _NORMAL,
        }
        for contract in list_contracts(request)
    ]
    return {"telecom_list": rows}


def _get_bill(request: DataRequest) -> dict[str, Any]:
    contract = _find_contract(request)
    month = parse_month(request, "charge_month")
    return {"charge_amt": _compute_charge(request, contract, month), "charge_date": get_day(month, contract.day)}


def _compute_charge(request: DataRequest, contract: Contract, month: date) -> int:
    """Returns a month's bill: the fee and the previous month's purchases; 0 before the contract or in the future."""
    if not contract.since < month <= to_month(request.today):
        return 0
    return contract.fee + sum(purchase.amount for purchase in _list_purchases(request, contract, add_months(month, -1)))


def _list_payments(request: DataRequest) -> dict[str, Any]:
    contract = _find_contract(request)
    start, end = parse_month_window(request)
    rows = [
        {
            "trans_month": format_month(month),
            "paid_amt": _compute_charge(request, contract, month),
            "pay_method": contract.pay_method,
        }
        for month in iter_months(max(start, add_months(contract.since, 1)), end)
        if get_day(month, contract.day) <= get_yesterday(request)
    ]
    return {"trans_list": rows[::-1]}


def _list_purchase_rows(request: DataRequest) -> dict[str, Any]:
    contract = _find_contract(request)
    start, end = parse_day_window(request)
    rows = [
        purchase
        for month in iter_months(max(start, contract.since), end)
        for purchase in _list_purchases(request, contract, month)
        if start <= purchase.moment.date() <= end
    ]
    return {"trans_list": [_build_row(purchase) for purchase in rows[::-1]]}


def _build_row(purchase: Purchase) -> dict[str, Any]:
    return {
        "trans_date": purchase.moment,
        "trans_amt": purchase.amount,
        "merchant_name": purchase.merchant.name,
        "trans_title": purchase.goods,
    }


def _list_purchases(request: DataRequest, contract: Contract, month: date) -> list[Purchase]:
    """Returns all purchases of a month, oldest first. It is always the whole month, so that all periods agree."""
    return sorted(_draw_purchases(request, contract, month), key=lambda purchase: purchase.moment)


def _draw_purchases(request: DataRequest, contract: Contract, month: date) -> Iterator[Purchase]:
    rng = request.build_random("purchases", contract.mgmt_id, month)
    for _ in range(rng.randint(*contract.purchases)):
        merchant = rng.choice(_MICROPAYMENT_MERCHANTS)
        moment = to_datetime(
            get_day(month, rng.randrange(1, 32)), rng.randrange(7, 24), rng.randrange(60), rng.randrange(60)
        )
        amount = rng.randrange(merchant.min_price, min(merchant.max_price, _MAX_PAYMENT), merchant.step)
        goods = rng.choice(merchant.goods)
        yield Purchase(moment, amount, merchant, goods)
        # A cancellation is in the month of its purchase, so that no bill is below the fee.
        cancelled_at = moment + rng.randrange(1, 4) * DAY
        if rng.randrange(_CANCELLED_ONE_IN) == 0 and cancelled_at.date() <= get_month_end(month):
            yield Purchase(cancelled_at, -amount, merchant, goods)


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "통신-001": _list_assets,
    "통신-002": _get_bill,
    "통신-003": _list_payments,
    "통신-004": _list_purchase_rows,
}
