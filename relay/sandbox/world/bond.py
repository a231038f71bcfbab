"""Debts taken over (bond, 인수채권) and money lent (usury, 금전대부), paid back in parts (규격 4.2.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from relay.sandbox.world.days import term_of
from relay.sandbox.world.model import Ask, Story
from relay.sandbox.world.months import day_window, yesterday
from relay.sandbox.world.owned import the_one
from relay.sandbox.world.schedule import LEVEL_PAYMENT, LEVEL_PRINCIPAL, Loan, Part, balance, paid
from relay.sandbox.world.street import digits

_TAKEN_OVER: Final = "01"
_LENT: Final = "02"
_BOUGHT: Final = "03"
_ORDINARY: Final = "04"
_FROM_ANOTHER: Final = frozenset({_TAKEN_OVER, _BOUGHT})


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of debt: where it comes from, its term, the day it is paid on, its amount in 100,000 won, its rate.

    `origin` is the house the debt came from: of a debt taken over or bought the one that passed it on (told by 002),
    of the others the one that first lent (told by 001). `eased` says that the debtor pays under a debt adjustment.
    """

    kind: str
    origin: str
    months: int
    day: int
    amounts: tuple[int, int]
    rates: tuple[int, int]
    method: str
    eased: bool


KINDS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "bond": (
        Kind(_TAKEN_OVER, "다솜저축은행", 48, 10, (20, 180), (20, 60), LEVEL_PRINCIPAL, eased=True),
        Kind(_BOUGHT, "도담캐피탈", 36, 20, (10, 90), (50, 120), LEVEL_PRINCIPAL, eased=False),
        Kind(_ORDINARY, "가온카드", 24, 27, (5, 60), (80, 150), LEVEL_PAYMENT, eased=False),
    ),
    "usury": (
        Kind(_LENT, "미리내대부", 24, 15, (10, 70), (150, 199), LEVEL_PAYMENT, eased=False),
        Kind(_LENT, "미리내대부", 36, 5, (10, 50), (100, 140), LEVEL_PRINCIPAL, eased=True),
    ),
}
_UNIT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Debt:
    """What a customer owes to the house; `loan.issued` is the day it was taken over or lent."""

    bond_num: str
    kind: Kind
    loan: Loan


def debts(ask: Ask) -> tuple[Debt, ...]:
    """The customer's debts of today."""
    return tuple(_debt(ask, number, kind) for number, kind in enumerate(KINDS[ask.industry], 1))


def _debt(ask: Ask, number: int, kind: Kind) -> Debt:
    dice = ask.dice("debt", number)
    since, _ = term_of(date(2018, dice.randrange(1, 13), kind.day), kind.months, ask.today)
    rate = Decimal(dice.randrange(*kind.rates)) / 10
    loan = Loan(since, kind.months, dice.randrange(*kind.amounts) * _UNIT, rate, kind.method)
    return Debt(f"채권{since:%Y}-{number:02d}-{digits(dice, 8)}", kind, loan)


def _asked(ask: Ask) -> Debt:
    return the_one(debts(ask), lambda debt: debt.bond_num == ask.params.get("bond_num"))


def _list(ask: Ask) -> dict[str, Any]:
    rows = [
        {
            "bond_num": debt.bond_num,
            "is_consent": True,
            "bond_type": debt.kind.kind,
            "takeover_date": debt.loan.issued,
            "init_org_code": None if debt.kind.kind in _FROM_ANOTHER else debt.kind.origin,
        }
        for debt in debts(ask)
    ]
    return {"bond_list": rows}


def _detail(ask: Ask) -> dict[str, Any]:
    debt = _asked(ask)
    plain_loan = debt.kind.kind == _LENT and not debt.kind.eased
    return {
        "prev_org_code": debt.kind.origin if debt.kind.kind in _FROM_ANOTHER else None,
        "is_debt_mgmt": debt.kind.eased,
        "repay_method": debt.kind.method if plain_loan else None,
        "balance_amt": balance(debt.loan, yesterday(ask)),
        "bond_principal": debt.loan.principal,
    }


def _transactions(ask: Ask) -> dict[str, Any]:
    debt = _asked(ask)
    start, end = day_window(ask)
    return {"trans_list": [_repayment(debt, part) for part in paid(debt.loan, end) if part.due >= start][::-1]}


def _repayment(debt: Debt, part: Part) -> dict[str, Any]:
    """A part paid. The books of the house know days, not hours, so a number tells payments of one day apart."""
    return {
        "trans_dtime": part.due,
        "trans_no": f"{part.due:%Y%m%d}{debt.bond_num[-8:]}{part.number:03d}",
        "trans_amt": part.amount,
        "balance_amt": part.balance,
        "int_amt": part.interest,
        "principal_amt": part.principal,
    }


STORIES: Final[dict[str, Story]] = {
    "채권-001": _list,
    "채권-002": _detail,
    "채권-003": _transactions,
}
