"""P2P lending (온라인투자연계금융업, 규격 4.2.10): a loan secured by a home and an unsecured one, repaid monthly."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from mydata_sandbox.world.counterparties import draw_digits
from mydata_sandbox.world.days import find_term
from mydata_sandbox.world.lookup import find_asset
from mydata_sandbox.world.model import DataHandler, DataRequest
from mydata_sandbox.world.months import get_yesterday, parse_day_window
from mydata_sandbox.world.schedule import (
    EQUAL_PAYMENT,
    EQUAL_PRINCIPAL,
    Instalment,
    Loan,
    draw_debit_time,
    get_balance,
    get_next_instalment,
    list_paid,
)

_SECURED: Final = "02"
_UNSECURED: Final = "05"
_IN_TIME: Final = "01"


@dataclass(frozen=True, slots=True)
class Lending:
    """A P2P loan. Only a loan secured by a home has an `ltv`."""

    lending_id: str
    type: str
    loan: Loan
    ltv: Decimal | None


def list_lendings(request: DataRequest) -> tuple[Lending, ...]:
    """Returns the customer's loans of today."""
    return _build_secured_loan(request), _build_unsecured_loan(request)


def _build_secured_loan(request: DataRequest) -> Lending:
    rng = request.build_random("lending", "house")
    issued, _ = find_term(date(2019, rng.randrange(1, 13), 5), 36, request.today)
    principal = rng.randrange(30, 90) * 1_000_000
    loan = Loan(issued, 36, principal, Decimal(rng.randrange(85, 115)) / 10, EQUAL_PAYMENT)
    return Lending(f"RE-{issued:%Y%m}-{draw_digits(rng, 8)}", _SECURED, loan, Decimal(rng.randrange(480, 745)) / 10)


def _build_unsecured_loan(request: DataRequest) -> Lending:
    rng = request.build_random("lending", "name")
    issued, _ = find_term(date(2020, rng.randrange(1, 13), 17), 24, request.today)
    principal = rng.randrange(10, 60) * 500_000
    loan = Loan(issued, 24, principal, Decimal(rng.randrange(95, 159)) / 10, EQUAL_PRINCIPAL)
    return Lending(f"CR-{issued:%Y%m}-{draw_digits(rng, 8)}", _UNSECURED, loan, None)


def _find_lending(request: DataRequest) -> Lending:
    return find_asset(list_lendings(request), lambda lending: lending.lending_id == request.params.get("lending_id"))


def _list_assets(request: DataRequest) -> dict[str, Any]:
    rows = [
        {
            "lending_id": lending.lending_id,
            "is_consent": True,
            "type": lending.type,
            "lending_amt": lending.loan.principal,
            "issue_date": lending.loan.issued,
        }
        for lending in list_lendings(request)
    ]
    return {"lending_list": rows}


def _get_basic(request: DataRequest) -> dict[str, Any]:
    lending = _find_lending(request)
    loan = lending.loan
    return {
        "exp_date": loan.expires,
        "offered_rate": loan.rate,
        "repay_method": loan.method,
        "ltv_rate": lending.ltv,
    }


def _get_detail(request: DataRequest) -> dict[str, Any]:
    loan = _find_lending(request).loan
    due = get_next_instalment(loan, get_yesterday(request))
    return {
        "balance_amt": get_balance(loan, get_yesterday(request)),
        "next_repay_cnt": due.number,
        "next_repay_date": due.due,
        "principal_amt": due.principal,
        "int_amt": due.interest,
    }


def _list_transactions(request: DataRequest) -> dict[str, Any]:
    lending = _find_lending(request)
    start, end = parse_day_window(request)
    rows = [
        _build_repayment_row(request, lending, instalment)
        for instalment in list_paid(lending.loan, end)
        if instalment.due >= start
    ]
    return {"trans_list": rows[::-1]}


def _build_repayment_row(request: DataRequest, lending: Lending, instalment: Instalment) -> dict[str, Any]:
    rng = request.build_random("repayment", lending.lending_id, instalment.number)
    return {
        "trans_dtime": draw_debit_time(rng, instalment.due),
        "repay_cnt": instalment.number,
        "repay_type": _IN_TIME,
        "trans_amt": instalment.amount,
        "principal_amt": instalment.principal,
        "int_amt": instalment.interest,
    }


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "P2P-001": _list_assets,
    "P2P-002": _get_basic,
    "P2P-003": _get_detail,
    "P2P-004": _list_transactions,
}
