"""Card bills (카드-004 to 006): a month's card uses, due on the payment day of the next month.

`paid_amt` of an item is the amount due in this bill (for an instalment plan: this instalment), `credit_fee_amt` its
fee. The bill is the sum of both over its items.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from mydata_sandbox.world.card.card_loans import LOAN_DUE, PAY_DAY, REVOLVING_DUE, Due, list_dues
from mydata_sandbox.world.card.card_uses import BY_CREDIT, Use, list_everyday, list_instalments, list_overseas
from mydata_sandbox.world.card.card_wallet import Card, get_main_card, list_cards
from mydata_sandbox.world.days import add_months, iter_months
from mydata_sandbox.world.model import DataHandler, DataRequest
from mydata_sandbox.world.months import format_month, get_day, get_yesterday, parse_month, parse_month_window, to_month
from mydata_sandbox.world.seeds import build_seed

_IN_ONE_SUM: Final = "01"
_IN_INSTALMENTS: Final = "02"
_YEARLY_FEE: Final = "06"
_MAX_FREE_INSTALMENTS: Final = 3
_INSTALMENT_RATE_PER_MILLE: Final = 159
"""Interest of a year; a month's is a twelfth."""
_KINDS_WITHOUT_TIME: Final = frozenset({REVOLVING_DUE, LOAN_DUE})


def list_items(request: DataRequest, month: date) -> list[dict[str, Any]]:
    """Returns the items of a month's bill that are known by yesterday, the latest use first."""
    items = [row for card in list_cards(request) if card.is_billed for row in _list_card_items(request, card, month)]
    items += [_build_due_item(request, due) for due in list_dues(request, month)]
    # An item has a date or a date with a time: as text both compare, the date first.
    return sorted(items, key=lambda row: row["paid_dtime"].isoformat(), reverse=True)


def sum_items(items: list[dict[str, Any]]) -> int:
    """Returns the total of a bill with these items."""
    return sum(row["paid_amt"] + row["credit_fee_amt"] for row in items)


def _list_card_items(request: DataRequest, card: Card, month: date) -> Iterator[dict[str, Any]]:
    month_of_use, until = add_months(month, -1), get_yesterday(request)
    for list_uses in (list_everyday, list_overseas):
        for use in list_uses(build_seed(request), card, month_of_use):
            known_use = use.as_known_on(until)
            if use.pay_type == BY_CREDIT and use.moment.date() <= until and known_use.final_amount:
                yield _build_lump_sum_item(known_use)
    for use, number in list_instalments(build_seed(request), card, month):
        if use.moment.date() <= until:
            yield _build_instalment_item(use, use.parts or 1, number)
    if card.product.fee and month_of_use.month == card.issued.month and month_of_use >= to_month(card.issued):
        yield _build_fee_item(card, month_of_use)


def _build_lump_sum_item(use: Use) -> dict[str, Any]:
    merchant = use.merchant
    return {
        "card_id": use.card.card_id,
        "paid_dtime": use.moment,
        "paid_amt": use.final_amount,
        "merchant_name": merchant.name if merchant else use.foreign_merchant and use.foreign_merchant.name,
        "merchant_regno": merchant and merchant.regno,
        "credit_fee_amt": 0,
        "prod_type": _IN_ONE_SUM,
    }


def _build_instalment_item(use: Use, parts: int, number: int) -> dict[str, Any]:
    """Returns one instalment. The first one includes the rounding remainder; short plans have no fee."""
    instalment_amount = use.amount // parts
    balance_before = use.amount if number == 1 else instalment_amount * (parts - number + 1)
    balance_after = instalment_amount * (parts - number)
    return {
        "card_id": use.card.card_id,
        "paid_dtime": use.moment,
        "paid_amt": balance_before - balance_after,
        "merchant_name": use.merchant and use.merchant.name,
        "merchant_regno": use.merchant and use.merchant.regno,
        "credit_fee_amt": 0
        if parts <= _MAX_FREE_INSTALMENTS
        else balance_before * _INSTALMENT_RATE_PER_MILLE // 12_000,
        "total_install_cnt": parts,
        "cur_install_cnt": number,
        "balance_amt": balance_after,
        "prod_type": _IN_INSTALMENTS,
    }


def _build_fee_item(card: Card, month: date) -> dict[str, Any]:
    return {
        "card_id": card.card_id,
        "paid_dtime": get_day(month, card.issued.day),
        "trans_no": f"AF{month:%Y%m}{card.number[-4:]}",
        "paid_amt": card.product.fee,
        "credit_fee_amt": 0,
        "prod_type": _YEARLY_FEE,
    }


def _build_due_item(request: DataRequest, due: Due) -> dict[str, Any]:
    return {
        "card_id": get_main_card(request).card_id,
        "paid_dtime": due.since,
        # `trans_no` distinguishes items that have a date but no time.
        "trans_no": due.number if due.kind in _KINDS_WITHOUT_TIME else None,
        "paid_amt": due.amount,
        "credit_fee_amt": due.interest,
        "prod_type": due.kind,
    }


def _list_bills(request: DataRequest) -> dict[str, Any]:
    start, end = parse_month_window(request)
    opened = add_months(to_month(get_main_card(request).issued), 1)
    rows = [_build_bill(request, month) for month in iter_months(max(start, opened), end)]
    return {"bill_list": rows[::-1]}


def _build_bill(request: DataRequest, month: date) -> dict[str, Any]:
    return {
        "charge_amt": sum_items(list_items(request, month)),
        "charge_day": f"{PAY_DAY:02d}",
        "charge_month": format_month(month),
        "paid_out_date": get_day(month, PAY_DAY),
    }


def _list_bill_items(request: DataRequest) -> dict[str, Any]:
    month = parse_month(request, "charge_month")
    has_bill = to_month(get_main_card(request).issued) < month <= to_month(request.today)
    return {"bill_detail_list": list_items(request, month) if has_bill else []}


def _list_payments(request: DataRequest) -> dict[str, Any]:
    """Returns 카드-006, the amount due next: that of this month's bill, after its payment day that of the next one."""
    this_month = to_month(request.today)
    month = this_month if request.today.day <= PAY_DAY else add_months(this_month, 1)
    row = {"pay_due_date": get_day(month, PAY_DAY), "pay_amt": sum_items(list_items(request, month))}
    return {"is_revolving": True, "pay_list": [row]}


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "카드-004": _list_bills,
    "카드-005": _list_bill_items,
    "카드-006": _list_payments,
}
