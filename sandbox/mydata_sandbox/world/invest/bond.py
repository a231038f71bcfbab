"""Acquired debts (bond, 인수채권) and money lending (usury, 금전대부), repaid in instalments (규격 4.2.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from mydata_sandbox.world.counterparties import draw_digits
from mydata_sandbox.world.days import find_term
from mydata_sandbox.world.lookup import find_asset
from mydata_sandbox.world.model import DataHandler, DataRequest
from mydata_sandbox.world.months import get_yesterday, parse_day_window
from mydata_sandbox.world.schedule import EQUAL_PAYMENT, EQUAL_PRINCIPAL, Instalment, Loan, get_balance, list_paid

_ACQUIRED: Final = "01"
_LENT: Final = "02"
_BOUGHT: Final = "03"
_ORDINARY: Final = "04"
_TRANSFERRED: Final = frozenset({_ACQUIRED, _BOUGHT})


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of debt: origin, term, repayment day, range of amounts in 100,000 won, range of rates in tenths.

    `origin` of an acquired or bought debt is the previous creditor (채권-002); of other debts the first lender
    (채권-001). `is_adjusted` means that the debtor pays under a debt adjustment.
    """

    kind: str
    origin: str
    months: int
    day: int
    amounts: tuple[int, int]
    rates: tuple[int, int]
    method: str
    is_adjusted: bool


KINDS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "bond": (
        Kind(_ACQUIRED, "다솜저축은행", 48, 10, (20, 180), (20, 60), EQUAL_PRINCIPAL, is_adjusted=True),
        Kind(_BOUGHT, "도담캐피탈", 36, 20, (10, 90), (50, 120), EQUAL_PRINCIPAL, is_adjusted=False),
        Kind(_ORDINARY, "가온카드", 24, 27, (5, 60), (80, 150), EQUAL_PAYMENT, is_adjusted=False),
    ),
    "usury": (
        Kind(_LENT, "미리내대부", 24, 15, (10, 70), (150, 199), EQUAL_PAYMENT, is_adjusted=False),
        Kind(_LENT, "미리내대부", 36, 5, (10, 50), (100, 140), EQUAL_PRINCIPAL, is_adjusted=True),
    ),
}
_UNIT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Debt:
    """A debt of a customer. `loan.issued` is the day it was acquired or lent."""

    bond_num: str
    kind: Kind
    loan: Loan


def list_debts(request: DataRequest) -> tuple[Debt, ...]:
    """Returns the customer's debts of today."""
    return tuple(_build_debt(request, number, kind) for number, kind in enumerate(KINDS[request.industry], 1))


def _build_debt(request: DataRequest, number: int, kind: Kind) -> Debt:
    rng = request.build_random("debt", number)
    since, _ = find_term(date(2018, rng.randrange(1, 13), kind.day), kind.months, request.today)
    rate = Decimal(rng.randrange(*kind.rates)) / 10
    loan = Loan(since, kind.months, rng.randrange(*kind.amounts) * _UNIT, rate, kind.method)
    return Debt(f"채권{since:%Y}-{number:02d}-{draw_digits(rng, 8)}", kind, loan)


def _find_debt(request: DataRequest) -> Debt:
    return find_asset(list_debts(request), lambda debt: debt.bond_num == request.params.get("bond_num"))


def _list_assets(request: DataRequest) -> dict[str, Any]:
    rows = [
        {
            "bond_num": debt.bond_num,
            "is_consent": True,
            "bond_type": debt.kind.kind,
            "takeover_date": debt.loan.issued,
            "init_org_code": None if debt.kind.kind in _TRANSFERRED else debt.kind.origin,
        }
        for debt in list_debts(request)
    ]
    return {"bond_list": rows}


def _get_detail(request: DataRequest) -> dict[str, Any]:
    debt = _find_debt(request)
    is_plain_loan = debt.kind.kind == _LENT and not debt.kind.is_adjusted
    return {
        "prev_org_code": debt.kind.origin if debt.kind.kind in _TRANSFERRED else None,
        "is_debt_mgmt": debt.kind.is_adjusted,
        "repay_method": debt.kind.method if is_plain_loan else None,
        "balance_amt": get_balance(debt.loan, get_yesterday(request)),
        "bond_principal": debt.loan.principal,
    }


def _list_transactions(request: DataRequest) -> dict[str, Any]:
    debt = _find_debt(request)
    start, end = parse_day_window(request)
    rows = [_build_repayment_row(debt, paid) for paid in list_paid(debt.loan, end) if paid.due >= start]
    return {"trans_list": rows[::-1]}


def _build_repayment_row(debt: Debt, instalment: Instalment) -> dict[str, Any]:
    """Returns a repayment row. The company records no times: `trans_no` distinguishes payments of a day."""
    return {
        "trans_dtime": instalment.due,
        "trans_no": f"{instalment.due:%Y%m%d}{debt.bond_num[-8:]}{instalment.number:03d}",
        "trans_amt": instalment.amount,
        "balance_amt": instalment.balance,
        "int_amt": instalment.interest,
        "principal_amt": instalment.principal,
    }


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "채권-001": _list_assets,
    "채권-002": _get_detail,
    "채권-003": _list_transactions,
}
