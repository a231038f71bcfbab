"""Loans of banks and insurers with their repayment schedules."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final

from mydata_sandbox.world.days import DAY, add_months, count_months
from mydata_sandbox.world.model import DataRequest, build_random

LATE_SURCHARGE: Final = Decimal(3)
LATE_DAYS: Final = 3
LATE_ONE_IN: Final = 14
"""One in so many instalments is paid LATE_DAYS late, at LATE_SURCHARGE percentage points more."""


class Repayment(StrEnum):
    """상환방식 in the code table of the standard."""

    BULLET = "01"
    EQUAL_PRINCIPAL = "02"
    EQUAL_PAYMENT = "04"
    CREDIT_LINE = "08"


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan repaid in `months` instalments, or (만기일시) extended every `months` with monthly interest."""

    number: str
    product: str
    opened: date
    months: int
    account_type: str
    method: Repayment
    principal: int
    rate: Decimal
    debit_account: str | None
    policy: str | None = None
    seqno: str | None = None

    def get_maturity(self, today: date) -> date:
        """Returns the maturity date as of `today`."""
        if self.method is not Repayment.BULLET:
            return add_months(self.opened, self.months)
        count = max(count_months(self.opened, today), 0) // self.months + 1
        return add_months(self.opened, count * self.months)


@dataclass(frozen=True, slots=True)
class Interest:
    """Interest of a range of days at one rate; `is_late` if the range is past the due date."""

    first: date
    last: date
    rate: Decimal
    amount: int
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Instalment:
    """A repayment: due and payment dates, principal, interest, and the balance after it."""

    number: int
    due: date
    paid_on: date
    principal: int
    interest: tuple[Interest, ...]
    balance: int

    @property
    def interest_amount(self) -> int:
        """The total interest."""
        return sum(part.amount for part in self.interest)


def list_paid(request: DataRequest, loan: Loan, day: date) -> list[Instalment]:
    """Returns the instalments paid up to `day`, oldest first."""
    count = max(count_months(loan.opened, day), 0)
    if loan.method is not Repayment.BULLET:
        count = min(count, loan.months)
    return [
        instalment
        for instalment in build_instalments(request.industry, request.customer.number, loan, count)
        if instalment.paid_on <= day
    ]


def get_balance(request: DataRequest, loan: Loan, day: date) -> int:
    """Returns the balance owed at the end of `day`."""
    paid = list_paid(request, loan, day)
    return paid[-1].balance if paid else loan.principal


def find_next_due(loan: Loan, day: date) -> date:
    """Returns the first due date after `day`, or the last one."""
    number = count_months(loan.opened, day) + 1
    last = number if loan.method is Repayment.BULLET else loan.months
    return add_months(loan.opened, min(number, last))


@lru_cache(maxsize=256)
def build_instalments(industry: str, customer: int, loan: Loan, count: int) -> tuple[Instalment, ...]:
    """Returns the first `count` instalments of a loan."""
    balance, instalments = loan.principal, []
    for number in range(1, count + 1):
        start, due = add_months(loan.opened, number - 1), add_months(loan.opened, number)
        interest = Interest(start, due - DAY, loan.rate, _round_won(balance * loan.rate / 1200))
        principal = _compute_principal(loan, number, balance, interest.amount)
        is_late = build_random(industry, customer, "late", loan.number, number).randrange(LATE_ONE_IN) == 0
        paid = due + timedelta(days=LATE_DAYS) if is_late else due
        parts = (interest, _build_surcharge(loan, due, principal + interest.amount)) if is_late else (interest,)
        balance -= principal
        instalments.append(Instalment(number, due, paid, principal, parts, balance))
    return tuple(instalments)


def _compute_principal(loan: Loan, number: int, balance: int, interest: int) -> int:
    if loan.method is Repayment.BULLET:
        return 0
    if number == loan.months:
        return balance
    if loan.method is Repayment.EQUAL_PRINCIPAL:
        return loan.principal // loan.months
    return _compute_annuity(loan) - interest


def _compute_annuity(loan: Loan) -> int:
    monthly_rate = loan.rate / 1200
    return _round_won(loan.principal * monthly_rate / (1 - (1 + monthly_rate) ** -loan.months))


def _build_surcharge(loan: Loan, due: date, overdue: int) -> Interest:
    rate = loan.rate + LATE_SURCHARGE
    amount = _round_won(overdue * rate * LATE_DAYS / 36500)
    return Interest(due, due + timedelta(days=LATE_DAYS - 1), rate, amount, is_late=True)


def _round_won(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
