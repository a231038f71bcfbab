"""Card bills (카드-004 to 006): what the cards of a customer were used for in a month, due on the next one's pay day.

A line's `paid_amt` is what falls due in this bill (of a thing paid in parts: this part), `credit_fee_amt` what that
costs, and the bill is the sum of both over its lines.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from relay.sandbox.world.card_loans import LOAN_DUE, PAY_DAY, PUT_OFF_DUE, Due, dues
from relay.sandbox.world.card_uses import BY_CREDIT, Use, abroad, in_parts, small
from relay.sandbox.world.card_wallet import Card, main_card, wallet
from relay.sandbox.world.days import month_later, months_between
from relay.sandbox.world.model import Ask, Story
from relay.sandbox.world.months import asked_month, code, first, month_window, on, yesterday
from relay.sandbox.world.teller import teller

_IN_ONE_SUM: Final = "01"
_IN_PARTS: Final = "02"
_YEARLY_FEE: Final = "06"
_FREE_PARTS: Final = 3
_PARTS_RATE: Final = 159
_BY_DAY: Final = frozenset({PUT_OFF_DUE, LOAN_DUE})


def lines(ask: Ask, month: date) -> list[dict[str, Any]]:
    """The lines of a month's bill as far as they are known, the latest use first."""
    told = [row for card in wallet(ask) if card.billed for row in _card_lines(ask, card, month)]
    told += [_due(ask, due) for due in dues(ask, month)]
    return sorted(told, key=lambda row: row["paid_dtime"].isoformat(), reverse=True)


def charged(told: list[dict[str, Any]]) -> int:
    """What a bill of these lines comes to."""
    return sum(row["paid_amt"] + row["credit_fee_amt"] for row in told)


def _card_lines(ask: Ask, card: Card, month: date) -> Iterator[dict[str, Any]]:
    used, until = month_later(month, -1), yesterday(ask)
    for sort in (small, abroad):
        for use in sort(teller(ask), card, used):
            known = use.known_by(until)
            if use.pay_type == BY_CREDIT and use.at.date() <= until and known.cost:
                yield _one_sum(known)
    for use, number in in_parts(teller(ask), card, month):
        if use.at.date() <= until:
            yield _part(use, use.parts or 1, number)
    if card.product.fee and used.month == card.issued.month and used >= first(card.issued):
        yield _fee(card, used)


def _one_sum(use: Use) -> dict[str, Any]:
    shop = use.shop
    return {
        "card_id": use.card.card_id,
        "paid_dtime": use.at,
        "paid_amt": use.cost,
        "merchant_name": shop.name if shop else use.place and use.place.name,
        "merchant_regno": shop and shop.regno,
        "credit_fee_amt": 0,
        "prod_type": _IN_ONE_SUM,
    }


def _part(use: Use, parts: int, number: int) -> dict[str, Any]:
    """One part of a big thing; the first takes the odd won, and short plans cost nothing."""
    share = use.amount // parts
    owed = use.amount if number == 1 else share * (parts - number + 1)
    left = share * (parts - number)
    return {
        "card_id": use.card.card_id,
        "paid_dtime": use.at,
        "paid_amt": owed - left,
        "merchant_name": use.shop and use.shop.name,
        "merchant_regno": use.shop and use.shop.regno,
        "credit_fee_amt": 0 if parts <= _FREE_PARTS else owed * _PARTS_RATE // 12000,
        "total_install_cnt": parts,
        "cur_install_cnt": number,
        "balance_amt": left,
        "prod_type": _IN_PARTS,
    }


def _fee(card: Card, month: date) -> dict[str, Any]:
    return {
        "card_id": card.card_id,
        "paid_dtime": on(month, card.issued.day),
        "trans_no": f"AF{month:%Y%m}{card.number[-4:]}",
        "paid_amt": card.product.fee,
        "credit_fee_amt": 0,
        "prod_type": _YEARLY_FEE,
    }


def _due(ask: Ask, due: Due) -> dict[str, Any]:
    return {
        "card_id": main_card(ask).card_id,
        "paid_dtime": due.since,
        # The number tells lines apart that know their day but not their hour.
        "trans_no": due.number if due.kind in _BY_DAY else None,
        "paid_amt": due.amount,
        "credit_fee_amt": due.cost,
        "prod_type": due.kind,
    }


def _bills(ask: Ask) -> dict[str, Any]:
    start, end = month_window(ask)
    opened = month_later(first(main_card(ask).issued), 1)
    rows = [_bill(ask, month) for month in months_between(max(start, opened), end)]
    return {"bill_list": rows[::-1]}


def _bill(ask: Ask, month: date) -> dict[str, Any]:
    return {
        "charge_amt": charged(lines(ask, month)),
        "charge_day": f"{PAY_DAY:02d}",
        "charge_month": code(month),
        "paid_out_date": on(month, PAY_DAY),
    }


def _bill_lines(ask: Ask) -> dict[str, Any]:
    month = asked_month(ask, "charge_month")
    closed = first(main_card(ask).issued) < month <= first(ask.today)
    return {"bill_detail_list": lines(ask, month) if closed else []}


def _payments(ask: Ask) -> dict[str, Any]:
    """What the next pay day takes: the month's bill, or after its pay day what has come together for the next."""
    this_month = first(ask.today)
    month = this_month if ask.today.day <= PAY_DAY else month_later(this_month, 1)
    row = {"pay_due_date": on(month, PAY_DAY), "pay_amt": charged(lines(ask, month))}
    return {"is_revolving": True, "pay_list": [row]}


STORIES: Final[dict[str, Story]] = {
    "카드-004": _bills,
    "카드-005": _bill_lines,
    "카드-006": _payments,
}
