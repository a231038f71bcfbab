"""P2P lending (온라인투자연계금융업, 규격 4.2.10): a loan on a house and one on a name, paid back month by month."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from relay.sandbox.world.days import term_of
from relay.sandbox.world.model import Ask, Story
from relay.sandbox.world.months import day_window, yesterday
from relay.sandbox.world.owned import the_one
from relay.sandbox.world.schedule import (
    LEVEL_PAYMENT,
    LEVEL_PRINCIPAL,
    Loan,
    Part,
    at_night,
    balance,
    coming,
    paid,
)
from relay.sandbox.world.street import digits

_ON_A_HOUSE: Final = "02"
_ON_A_NAME: Final = "05"
_IN_TIME: Final = "01"


@dataclass(frozen=True, slots=True)
class Lending:
    """A P2P loan; `ltv` only where a house stands behind it."""

    lending_id: str
    type: str
    loan: Loan
    ltv: Decimal | None


def lendings(ask: Ask) -> tuple[Lending, ...]:
    """The customer's loans of today."""
    return _house(ask), _name(ask)


def _house(ask: Ask) -> Lending:
    dice = ask.dice("lending", "house")
    issued, _ = term_of(date(2019, dice.randrange(1, 13), 5), 36, ask.today)
    principal = dice.randrange(30, 90) * 1_000_000
    loan = Loan(issued, 36, principal, Decimal(dice.randrange(85, 115)) / 10, LEVEL_PAYMENT)
    return Lending(f"RE-{issued:%Y%m}-{digits(dice, 8)}", _ON_A_HOUSE, loan, Decimal(dice.randrange(480, 745)) / 10)


def _name(ask: Ask) -> Lending:
    dice = ask.dice("lending", "name")
    issued, _ = term_of(date(2020, dice.randrange(1, 13), 17), 24, ask.today)
    principal = dice.randrange(10, 60) * 500_000
    loan = Loan(issued, 24, principal, Decimal(dice.randrange(95, 159)) / 10, LEVEL_PRINCIPAL)
    return Lending(f"CR-{issued:%Y%m}-{digits(dice, 8)}", _ON_A_NAME, loan, None)


def _asked(ask: Ask) -> Lending:
    return the_one(lendings(ask), lambda lending: lending.lending_id == ask.params.get("lending_id"))


def _list(ask: Ask) -> dict[str, Any]:
    rows = [
        {
            "lending_id": lending.lending_id,
            "is_consent": True,
            "type": lending.type,
            "lending_amt": lending.loan.principal,
            "issue_date": lending.loan.issued,
        }
        for lending in lendings(ask)
    ]
    return {"lending_list": rows}


def _basic(ask: Ask) -> dict[str, Any]:
    lending = _asked(ask)
    loan = lending.loan
    return {
        "exp_date": loan.expires,
        "offered_rate": loan.rate,
        "repay_method": loan.method,
        "ltv_rate": lending.ltv,
    }


def _detail(ask: Ask) -> dict[str, Any]:
    loan = _asked(ask).loan
    due = coming(loan, yesterday(ask))
    return {
        "balance_amt": balance(loan, yesterday(ask)),
        "next_repay_cnt": due.number,
        "next_repay_date": due.due,
        "principal_amt": due.principal,
        "int_amt": due.interest,
    }


def _transactions(ask: Ask) -> dict[str, Any]:
    lending = _asked(ask)
    start, end = day_window(ask)
    rows = [_repayment(ask, lending, part) for part in paid(lending.loan, end) if part.due >= start]
    return {"trans_list": rows[::-1]}


def _repayment(ask: Ask, lending: Lending, part: Part) -> dict[str, Any]:
    dice = ask.dice("repayment", lending.lending_id, part.number)
    return {
        "trans_dtime": at_night(dice, part.due),
        "repay_cnt": part.number,
        "repay_type": _IN_TIME,
        "trans_amt": part.amount,
        "principal_amt": part.principal,
        "int_amt": part.interest,
    }


STORIES: Final[dict[str, Story]] = {
    "P2P-001": _list,
    "P2P-002": _basic,
    "P2P-003": _detail,
    "P2P-004": _transactions,
}
