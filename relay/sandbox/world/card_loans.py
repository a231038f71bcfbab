"""Money borrowed on cards: cash advances, a card loan, a bill put off (단기·장기대출, 리볼빙; 카드-007, 010-012).

Each goes on for ever in its own round, so that on any day there is one to tell: an advance a month, a loan after the
other, a bill put off each spring and paid up within the year.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from relay.sandbox.world.card_wallet import main_card
from relay.sandbox.world.days import month_later, months_passed, term_of
from relay.sandbox.world.model import Ask, Story
from relay.sandbox.world.months import YEAR, clock, first, on, yesterday
from relay.sandbox.world.schedule import LEVEL_PAYMENT, Loan, balance, coming, parts
from relay.sandbox.world.street import digits

PAY_DAY: Final = 14
_LOAN_MONTHS: Final = 36
_MIN_PERCENT: Final = 10


@dataclass(frozen=True, slots=True)
class Advance:
    """A cash advance, due in one sum on the next month's pay day."""

    number: str
    at: datetime
    amount: int
    rate: Decimal
    due: date

    @property
    def interest(self) -> int:
        """What it costs until it is due."""
        return int(self.amount * self.rate * (self.due - self.at.date()).days / 36500)


@dataclass(frozen=True, slots=True)
class PutOff:
    """A bill put off: paid up in twelve equal parts, the first a month after `since`."""

    since: date
    amount: int
    rate: Decimal

    @property
    def part(self) -> int:
        """What is paid each month."""
        return self.amount // YEAR

    def left(self, paid_parts: int) -> int:
        """What remains after so many parts."""
        return self.amount - self.part * paid_parts


def advance(ask: Ask, month: date) -> Advance:
    """The cash advance of a month, taken in its first days."""
    dice = ask.dice("advance", month)
    at = clock(month.replace(day=dice.randrange(2, 9)), dice.randrange(9, 23), dice.randrange(60), dice.randrange(60))
    amount, rate = dice.randrange(10, 81) * 10_000, Decimal(dice.randrange(149, 196)) / 10
    return Advance(digits(dice, 8), at, amount, rate, on(month_later(month, 1), PAY_DAY))


def _loan(ask: Ask, day: date) -> tuple[Loan, str]:
    """The card loan that runs on a day, and its name."""
    dice = ask.dice("card loan")
    issued, _ = term_of(date(2016, dice.randrange(1, 13), PAY_DAY), _LOAN_MONTHS, day)
    amount, rate = dice.randrange(30, 150) * 100_000, Decimal(dice.randrange(99, 179)) / 10
    return Loan(issued, _LOAN_MONTHS, amount, rate, LEVEL_PAYMENT), "가온 바로 카드론"


def _put_off(ask: Ask, day: date) -> PutOff:
    """The bill put off that is being paid up on a day."""
    dice = ask.dice("put off")
    since, _ = term_of(date(2016, dice.randrange(2, 6), PAY_DAY), YEAR, day)
    return PutOff(since, dice.randrange(60, 241) * 10_000 // YEAR * YEAR, Decimal(dice.randrange(150, 190)) / 10)


@dataclass(frozen=True, slots=True)
class Due:
    """What a loan puts on a bill: principal and its cost, from which day, under which 상품구분 and number."""

    kind: str
    since: date | datetime
    number: str
    amount: int
    cost: int


ADVANCE_DUE: Final = "03"
PUT_OFF_DUE: Final = "04"
LOAN_DUE: Final = "05"


def dues(ask: Ask, month: date) -> Iterator[Due]:
    """What falls due on the pay day of a month."""
    before = month_later(month, -1)
    taken = advance(ask, before)
    if before > main_card(ask).issued and taken.at.date() <= yesterday(ask):
        yield Due(ADVANCE_DUE, taken.at, taken.number, taken.amount, taken.interest)
    # The pay day that ends a round still belongs to it; the round of the day before is asked for.
    day = on(month, PAY_DAY - 1)
    bill = _put_off(ask, day)
    if bill.since <= day:
        paid_before = months_passed(bill.since, day)
        cost = int(bill.left(paid_before) * bill.rate / 1200)
        yield Due(PUT_OFF_DUE, bill.since, f"RV{bill.since:%Y%m%d}{paid_before + 1:02d}", bill.part, cost)
    loan, _ = _loan(ask, day)
    for part in parts(loan):
        if part.due == on(month, PAY_DAY):
            number = f"CL{loan.issued:%Y%m%d}{part.number:03d}"
            yield Due(LOAN_DUE, loan.issued, number, part.principal, part.interest)


def _revolving(ask: Ask) -> dict[str, Any]:
    bill = _put_off(ask, ask.today)
    left = bill.left(max(months_passed(bill.since, yesterday(ask)), 0))
    row = {
        "req_date": bill.since,
        "min_pay_rate": Decimal(_MIN_PERCENT),
        "min_pay_amt": min(left * _MIN_PERCENT // 100, bill.part),
        "agreed_pay_amt": bill.part,
        "remained_amt": left,
    }
    return {"revolving_list": [row]}


def _flags(_: Ask) -> dict[str, Any]:
    return {"is_loan_short_term": True, "is_loan_long_term": True}


def _short_term(ask: Ask) -> dict[str, Any]:
    this_month = first(ask.today)
    known = [advance(ask, month) for month in (this_month, month_later(this_month, -1))]
    rows = [
        {
            "loan_dtime": taken.at,
            "loan_amt": taken.amount,
            "balance_amt": taken.amount,
            "pay_due_date": taken.due,
            "int_rate": taken.rate,
        }
        for taken in known
        if taken.at.date() <= yesterday(ask) < taken.due
    ]
    return {"short_term_list": rows}


def _long_term(ask: Ask) -> dict[str, Any]:
    loan, name = _loan(ask, ask.today)
    row = {
        "loan_dtime": loan.issued,
        "loan_name": name,
        "loan_amt": Decimal(loan.principal),
        "int_rate": loan.rate,
        "exp_date": loan.expires,
        "balance_amt": Decimal(balance(loan, yesterday(ask))),
        "repay_method": loan.method,
        "int_amt": Decimal(coming(loan, yesterday(ask)).interest),
    }
    return {"long_term_list": [row]}


STORIES: Final[dict[str, Story]] = {
    "카드-007": _revolving,
    "카드-010": _flags,
    "카드-011": _short_term,
    "카드-012": _long_term,
}
