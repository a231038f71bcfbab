"""Monthly repayment schedules of loans. Loans that must run on any date take their start from `days.find_term`."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

from mydata_sandbox.world.days import add_months
from mydata_sandbox.world.months import to_datetime

BULLET: Final = "01"
EQUAL_PRINCIPAL: Final = "02"
EQUAL_PAYMENT: Final = "04"
_MONTHLY: Final = Decimal(1200)


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan: instalments are due on the day of issue in each of the next `months` months, at `rate` percent."""

    issued: date
    months: int
    principal: int
    rate: Decimal
    method: str

    @property
    def expires(self) -> date:
        """The due date of the last instalment."""
        return add_months(self.issued, self.months)


@dataclass(frozen=True, slots=True)
class Instalment:
    """One instalment: `since` is the first day of its interest, `balance` the amount owed after it."""

    number: int
    since: date
    due: date
    principal: int
    interest: int
    balance: int

    @property
    def amount(self) -> int:
        """Principal and interest together."""
        return self.principal + self.interest


@lru_cache(maxsize=256)
def list_instalments(loan: Loan) -> tuple[Instalment, ...]:
    """Returns all instalments of a loan; the last one includes the rounding remainder."""
    return tuple(_build_instalments(loan))


def _build_instalments(loan: Loan) -> Iterator[Instalment]:
    balance, since = loan.principal, loan.issued
    for number in range(1, loan.months + 1):
        due = add_months(loan.issued, number)
        interest = int(balance * loan.rate / _MONTHLY)
        principal = balance if number == loan.months else _compute_principal(loan, interest)
        balance -= principal
        yield Instalment(number, since, due, principal, interest, balance)
        since = due


def _compute_principal(loan: Loan, interest: int) -> int:
    if loan.method == EQUAL_PAYMENT:
        growth = (1 + loan.rate / _MONTHLY) ** loan.months
        return int(loan.principal * loan.rate / _MONTHLY * growth / (growth - 1)) - interest
    return loan.principal // loan.months if loan.method == EQUAL_PRINCIPAL else 0


def list_paid(loan: Loan, until: date) -> tuple[Instalment, ...]:
    """Returns the instalments due by `until`; they are all paid."""
    return tuple(instalment for instalment in list_instalments(loan) if instalment.due <= until)


def get_balance(loan: Loan, until: date) -> int:
    """Returns the balance owed at the end of `until`."""
    settled = list_paid(loan, until)
    return settled[-1].balance if settled else loan.principal


def get_next_instalment(loan: Loan, until: date) -> Instalment:
    """Returns the first instalment due after `until`."""
    return list_instalments(loan)[len(list_paid(loan, until))]


def draw_debit_time(rng: random.Random, day: date) -> datetime:
    """Returns the time of a direct debit, in the early morning of `day`."""
    return to_datetime(day, rng.randrange(1, 7), rng.randrange(60), rng.randrange(60))
