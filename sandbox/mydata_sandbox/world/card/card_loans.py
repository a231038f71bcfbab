"""Card loans: cash advances, a long-term loan, a revolving balance (단기·장기대출, 리볼빙; 카드-007, 010-012).

Each repeats, so that every day has one of each: one advance a month, one long-term loan after the other, one
revolving balance each spring that is repaid within a year.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from mydata_sandbox.world.card.card_wallet import get_main_card
from mydata_sandbox.world.counterparties import draw_digits
from mydata_sandbox.world.days import add_months, count_months, find_term
from mydata_sandbox.world.model import DataHandler, DataRequest
from mydata_sandbox.world.months import YEAR, get_day, get_yesterday, to_datetime, to_month
from mydata_sandbox.world.schedule import EQUAL_PAYMENT, Loan, get_balance, get_next_instalment, list_instalments

PAY_DAY: Final = 14
_LOAN_MONTHS: Final = 36
_MIN_PERCENT: Final = 10


@dataclass(frozen=True, slots=True)
class Advance:
    """A cash advance, due in one sum on the payment day of the next month."""

    number: str
    moment: datetime
    amount: int
    rate: Decimal
    due: date

    @property
    def interest(self) -> int:
        """The interest until the due date."""
        return int(self.amount * self.rate * (self.due - self.moment.date()).days / 36500)


@dataclass(frozen=True, slots=True)
class Revolving:
    """A revolving balance: repaid in twelve equal parts, the first a month after `since`."""

    since: date
    amount: int
    rate: Decimal

    @property
    def instalment(self) -> int:
        """The monthly repayment."""
        return self.amount // YEAR

    def compute_balance(self, paid_count: int) -> int:
        """Returns the balance after `paid_count` repayments."""
        return self.amount - self.instalment * paid_count


def build_advance(request: DataRequest, month: date) -> Advance:
    """Returns the cash advance of a month, taken in its first days."""
    rng = request.build_random("advance", month)
    moment = to_datetime(
        month.replace(day=rng.randrange(2, 9)), rng.randrange(9, 23), rng.randrange(60), rng.randrange(60)
    )
    amount, rate = rng.randrange(10, 81) * 10_000, Decimal(rng.randrange(149, 196)) / 10
    return Advance(draw_digits(rng, 8), moment, amount, rate, get_day(add_months(month, 1), PAY_DAY))


def _build_loan(request: DataRequest, day: date) -> tuple[Loan, str]:
    """Returns the long-term loan running on `day`, and its name."""
    rng = request.build_random("card loan")
    issued, _ = find_term(date(2016, rng.randrange(1, 13), PAY_DAY), _LOAN_MONTHS, day)
    amount, rate = rng.randrange(30, 150) * 100_000, Decimal(rng.randrange(99, 179)) / 10
    return Loan(issued, _LOAN_MONTHS, amount, rate, EQUAL_PAYMENT), "가온 바로 카드론"


def _build_revolving(request: DataRequest, day: date) -> Revolving:
    """Returns the revolving balance that is being repaid on `day`."""
    rng = request.build_random("put off")
    since, _ = find_term(date(2016, rng.randrange(2, 6), PAY_DAY), YEAR, day)
    return Revolving(since, rng.randrange(60, 241) * 10_000 // YEAR * YEAR, Decimal(rng.randrange(150, 190)) / 10)


@dataclass(frozen=True, slots=True)
class Due:
    """A loan's item on a bill: principal and interest, start date, 상품구분 and number."""

    kind: str
    since: date | datetime
    number: str
    amount: int
    interest: int


ADVANCE_DUE: Final = "03"
REVOLVING_DUE: Final = "04"
LOAN_DUE: Final = "05"


def list_dues(request: DataRequest, month: date) -> Iterator[Due]:
    """Yields the loan amounts due on the payment day of a month."""
    before = add_months(month, -1)
    advance = build_advance(request, before)
    if before > get_main_card(request).issued and advance.moment.date() <= get_yesterday(request):
        yield Due(ADVANCE_DUE, advance.moment, advance.number, advance.amount, advance.interest)
    # A term includes the payment day that ends it, so look up the term of the day before.
    day = get_day(month, PAY_DAY - 1)
    revolving = _build_revolving(request, day)
    if revolving.since <= day:
        paid_before = count_months(revolving.since, day)
        interest = int(revolving.compute_balance(paid_before) * revolving.rate / 1200)
        yield Due(
            REVOLVING_DUE,
            revolving.since,
            f"RV{revolving.since:%Y%m%d}{paid_before + 1:02d}",
            revolving.instalment,
            interest,
        )
    loan, _ = _build_loan(request, day)
    for instalment in list_instalments(loan):
        if instalment.due == get_day(month, PAY_DAY):
            number = f"CL{loan.issued:%Y%m%d}{instalment.number:03d}"
            yield Due(LOAN_DUE, loan.issued, number, instalment.principal, instalment.interest)


def _list_revolving(request: DataRequest) -> dict[str, Any]:
    revolving = _build_revolving(request, request.today)
    remaining = revolving.compute_balance(max(count_months(revolving.since, get_yesterday(request)), 0))
    row = {
        "req_date": revolving.since,
        "min_pay_rate": Decimal(_MIN_PERCENT),
        "min_pay_amt": min(remaining * _MIN_PERCENT // 100, revolving.instalment),
        "agreed_pay_amt": revolving.instalment,
        "remained_amt": remaining,
    }
    return {"revolving_list": [row]}


def _get_flags(_: DataRequest) -> dict[str, Any]:
    return {"is_loan_short_term": True, "is_loan_long_term": True}


def _list_short_term(request: DataRequest) -> dict[str, Any]:
    this_month = to_month(request.today)
    known = [build_advance(request, month) for month in (this_month, add_months(this_month, -1))]
    rows = [
        {
            "loan_dtime": advance.moment,
            "loan_amt": advance.amount,
            "balance_amt": advance.amount,
            "pay_due_date": advance.due,
            "int_rate": advance.rate,
        }
        for advance in known
        if advance.moment.date() <= get_yesterday(request) < advance.due
    ]
    return {"short_term_list": rows}


def _list_long_term(request: DataRequest) -> dict[str, Any]:
    loan, name = _build_loan(request, request.today)
    row = {
        "loan_dtime": loan.issued,
        "loan_name": name,
        "loan_amt": Decimal(loan.principal),
        "int_rate": loan.rate,
        "exp_date": loan.expires,
        "balance_amt": Decimal(get_balance(loan, get_yesterday(request))),
        "repay_method": loan.method,
        "int_amt": Decimal(get_next_instalment(loan, get_yesterday(request)).interest),
    }
    return {"long_term_list": [row]}


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "카드-007": _list_revolving,
    "카드-010": _get_flags,
    "카드-011": _list_short_term,
    "카드-012": _list_long_term,
}
