"""Loans of the insurer, secured by policies or homes (보험-008..011)."""

from typing import Any, Final

from mydata_sandbox.world.days import add_seconds, parse_window, select_newest_first
from mydata_sandbox.world.insurance.insu_policies import list_loans
from mydata_sandbox.world.lending.lending import Instalment, Interest, Loan, find_next_due, get_balance, list_paid
from mydata_sandbox.world.lookup import find_asset
from mydata_sandbox.world.model import DataHandler, DataRequest

ACTIVE: Final = "01"
PAID_AT: Final = 7 * 3600


def list_loan_rows(request: DataRequest) -> dict[str, Any]:
    """Returns 보험-008: the loans."""
    rows = [
        {
            "prod_name": loan.product,
            "account_num": loan.number,
            "is_consent": True,
            "account_type": loan.account_type,
            "account_status": ACTIVE,
        }
        for loan in list_loans(request)
    ]
    return {"loan_list": rows}


def get_basics(request: DataRequest) -> dict[str, Any]:
    """Returns 보험-009: the contract. A policy loan (3400) names its policy."""
    loan = _find_loan(request)
    return {
        "loan_start_date": loan.opened,
        "loan_exp_date": loan.get_maturity(request.today),
        "repay_method": loan.method,
        "insu_num": loan.policy,
    }


def get_details(request: DataRequest) -> dict[str, Any]:
    """Returns 보험-010: the balance owed today."""
    loan = _find_loan(request)
    return {
        "balance_amt": get_balance(request, loan, request.today),
        "loan_principal": loan.principal,
        "next_repay_date": find_next_due(loan, request.today),
    }


def list_transactions(request: DataRequest) -> dict[str, Any]:
    """Returns 보험-011: the instalments."""
    _, last = parse_window(request)
    return {
        "trans_list": select_newest_first(
            request, (_build_repayment_row(instalment) for instalment in list_paid(request, _find_loan(request), last))
        )
    }


def _find_loan(request: DataRequest) -> Loan:
    return find_asset(list_loans(request), lambda loan: loan.number == request.params.get("account_num"))


def _build_repayment_row(instalment: Instalment) -> dict[str, Any]:
    return {
        "trans_no": str(instalment.number),
        "trans_dtime": add_seconds(instalment.paid_on, PAID_AT),
        "loan_paid_amt": instalment.principal,
        "int_paid_amt": instalment.interest_amount,
        "int_list": [_build_interest_row(part) for part in instalment.interest],
    }


def _build_interest_row(part: Interest) -> dict[str, Any]:
    return {
        "int_start_date": part.first,
        "int_end_date": part.last,
        "int_rate": part.rate,
        "int_type": "02" if part.is_late else "01",
    }


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "보험-008": list_loan_rows,
    "보험-009": get_basics,
    "보험-010": get_details,
    "보험-011": list_transactions,
}
