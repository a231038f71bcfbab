"""Funds and trusts bought at the bank (은행-005..007)."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from relay.sandbox.world.bank_accounts import Fund, asked
from relay.sandbox.world.days import DAY, at, month_later, months_passed, newest_first, term_of, window
from relay.sandbox.world.market import price_on
from relay.sandbox.world.model import Ask, Story

MONTHLY: Final = "02"
UNITS_PRICED: Final = 1000
"""A fund's price (기준가) is that of a thousand units."""
TRUST_YIELD: Final = Decimal("3.2")
"""Per cent a year that a trust without units earns."""
ORDERED_AT, SETTLED_AT = 10 * 3600, 9 * 3600


@dataclass(frozen=True, slots=True)
class Purchase:
    """Money paid into a fund: ordered on one day, settled the next at that day's price."""

    turn: int
    ordered: datetime
    settled: datetime
    amount: int
    price: Decimal | None
    units: Decimal | None


def basics(ask: Ask) -> dict[str, Any]:
    """은행-005: the contract."""
    fund = asked(ask, Fund)
    return {
        "standard_fund_code": fund.code,
        "paid_in_type": fund.paid_in,
        "issue_date": fund.opened,
        "exp_date": term_of(fund.opened, fund.months, ask.today)[1] if fund.months else None,
    }


def details(ask: Ask) -> dict[str, Any]:
    """은행-006: what was paid in and what it is worth today; trusts have no units."""
    fund = asked(ask, Fund)
    settled = [bought for bought in _purchases(fund, ask.today) if bought.settled.date() <= ask.today]
    principal = sum(bought.amount for bought in settled)
    return {
        "currency_code": "KRW",
        "balance_amt": principal,
        "eval_amt": _worth(fund, settled, ask.today),
        "inv_principal": principal,
        "fund_num": sum(bought.units for bought in settled if bought.units) if fund.price else None,
    }


def transactions(ask: Ask) -> dict[str, Any]:
    """은행-007: each payment twice, as ordered and, priced, as settled."""
    fund = asked(ask, Fund)
    _, last = window(ask)
    purchases = _purchases(fund, last)
    rows: list[dict[str, Any]] = []
    for index, bought in enumerate(purchases):
        before = _worth(fund, purchases[:index], bought.ordered.date())
        after = _worth(fund, purchases[: index + 1], bought.settled.date())
        rows += (_ordered(bought, before), _settled(bought, after))
    return {"trans_list": newest_first(ask, rows)}


def _purchases(fund: Fund, until: date) -> list[Purchase]:
    turns = months_passed(fund.opened, until) + 1 if fund.paid_in == MONTHLY else 1
    return [_purchase(fund, turn) for turn in range(turns)]


def _purchase(fund: Fund, turn: int) -> Purchase:
    day = month_later(fund.opened, turn)
    price = price_on(fund.code, fund.price, day + DAY) if fund.price else None
    units = (fund.amount * UNITS_PRICED / price).quantize(Decimal(1), ROUND_DOWN) if price else None
    return Purchase(turn, at(day, ORDERED_AT), at(day + DAY, SETTLED_AT), fund.amount, price, units)


def _worth(fund: Fund, held: list[Purchase], day: date) -> Decimal:
    if not fund.price:
        grown = sum((_grown(bought, day) for bought in held), Decimal(0))
        return grown.quantize(Decimal(1), ROUND_DOWN)
    units = sum(bought.units for bought in held if bought.units)
    return (units * price_on(fund.code, fund.price, day) / UNITS_PRICED).quantize(Decimal(1), ROUND_DOWN)


def _grown(bought: Purchase, day: date) -> Decimal:
    days = max((day - bought.settled.date()).days, 0)
    return bought.amount * (1 + TRUST_YIELD * days / 36500)


def _ordered(bought: Purchase, worth: Decimal) -> dict[str, Any]:
    return {
        "trans_dtime": bought.ordered,
        "trans_no": f"{bought.turn:04}1",
        "trans_type": "05" if bought.turn else "04",
        "currency_code": "KRW",
        "trans_amt": bought.amount,
        "balance_amt": worth,
    }


def _settled(bought: Purchase, worth: Decimal) -> dict[str, Any]:
    return {
        "trans_dtime": bought.settled,
        "trans_no": f"{bought.turn:04}2",
        "trans_type": "02" if bought.turn else "01",
        "currency_code": "KRW",
        "base_amt": bought.price,
        "trans_fund_num": bought.units,
        "trans_amt": bought.amount,
        "balance_amt": worth,
    }


STORIES: Final[dict[str, Story]] = {"은행-005": basics, "은행-006": details, "은행-007": transactions}
