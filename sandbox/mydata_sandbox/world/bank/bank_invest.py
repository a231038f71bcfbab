"""Funds and trusts bought at the bank (은행-005..007)."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from mydata_sandbox.world.bank.bank_accounts import Fund, find_account
from mydata_sandbox.world.days import (
    DAY,
    add_months,
    add_seconds,
    count_months,
    find_term,
    parse_window,
    select_newest_first,
)
from mydata_sandbox.world.invest.prices import get_price
from mydata_sandbox.world.model import DataHandler, DataRequest

MONTHLY: Final = "02"
UNITS_PER_PRICE: Final = 1000
"""The price of a fund (기준가) is for a thousand units."""
TRUST_YIELD: Final = Decimal("3.2")
"""Yearly yield, in percent, of a trust without units."""
ORDERED_AT, SETTLED_AT = 10 * 3600, 9 * 3600


@dataclass(frozen=True, slots=True)
class Purchase:
    """A payment into a fund: ordered on one day, settled the next day at that day's price."""

    number: int
    ordered: datetime
    settled: datetime
    amount: int
    price: Decimal | None
    units: Decimal | None


def get_basics(request: DataRequest) -> dict[str, Any]:
    """Returns 은행-005: the contract."""
    fund = find_account(request, Fund)
    return {
        "standard_fund_code": fund.code,
        "paid_in_type": fund.paid_in,
        "issue_date": fund.opened,
        "exp_date": find_term(fund.opened, fund.months, request.today)[1] if fund.months else None,
    }


def get_details(request: DataRequest) -> dict[str, Any]:
    """Returns 은행-006: the principal and its value today. Trusts have no units."""
    fund = find_account(request, Fund)
    settled = [
        purchase for purchase in _list_purchases(fund, request.today) if purchase.settled.date() <= request.today
    ]
    principal = sum(purchase.amount for purchase in settled)
    return {
        "currency_code": "KRW",
        "balance_amt": principal,
        "eval_amt": _compute_value(fund, settled, request.today),
        "inv_principal": principal,
        "fund_num": sum(purchase.units for purchase in settled if purchase.units) if fund.price else None,
    }


def list_transactions(request: DataRequest) -> dict[str, Any]:
    """Returns 은행-007: two rows for each payment, the order and the priced settlement."""
    fund = find_account(request, Fund)
    _, last = parse_window(request)
    purchases = _list_purchases(fund, last)
    rows: list[dict[str, Any]] = []
    for index, purchase in enumerate(purchases):
        before = _compute_value(fund, purchases[:index], purchase.ordered.date())
        after = _compute_value(fund, purchases[: index + 1], purchase.settled.date())
        rows += (_build_order_row(purchase, before), _build_settlement_row(purchase, after))
    return {"trans_list": select_newest_first(request, rows)}


def _list_purchases(fund: Fund, until: date) -> list[Purchase]:
    count = count_months(fund.opened, until) + 1 if fund.paid_in == MONTHLY else 1
    return [_build_purchase(fund, number) for number in range(count)]


def _build_purchase(fund: Fund, number: int) -> Purchase:
    day = add_months(fund.opened, number)
    price = get_price(fund.code, fund.price, day + DAY) if fund.price else None
    units = (fund.amount * UNITS_PER_PRICE / price).quantize(Decimal(1), ROUND_DOWN) if price else None
    return Purchase(number, add_seconds(day, ORDERED_AT), add_seconds(day + DAY, SETTLED_AT), fund.amount, price, units)


def _compute_value(fund: Fund, held: list[Purchase], day: date) -> Decimal:
    if not fund.price:
        value = sum((_compute_trust_value(purchase, day) for purchase in held), Decimal(0))
        return value.quantize(Decimal(1), ROUND_DOWN)
    units = sum(purchase.units for purchase in held if purchase.units)
    return (units * get_price(fund.code, fund.price, day) / UNITS_PER_PRICE).quantize(Decimal(1), ROUND_DOWN)


def _compute_trust_value(purchase: Purchase, day: date) -> Decimal:
    days = max((day - purchase.settled.date()).days, 0)
    return purchase.amount * (1 + TRUST_YIELD * days / 36500)


def _build_order_row(purchase: Purchase, value: Decimal) -> dict[str, Any]:
    return {
        "trans_dtime": purchase.ordered,
        "trans_no": f"{purchase.number:04}1",
        "trans_type": "05" if purchase.number else "04",
        "currency_code": "KRW",
        "trans_amt": purchase.amount,
        "balance_amt": value,
    }


def _build_settlement_row(purchase: Purchase, value: Decimal) -> dict[str, Any]:
    return {
        "trans_dtime": purchase.settled,
        "trans_no": f"{purchase.number:04}2",
        "trans_type": "02" if purchase.number else "01",
        "currency_code": "KRW",
        "base_amt": purchase.price,
        "trans_fund_num": purchase.units,
        "trans_amt": purchase.amount,
        "balance_amt": value,
    }


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "은행-005": get_basics,
    "은행-006": get_details,
    "은행-007": list_transactions,
}
