"""Loans of the bank: monthly instalments, and overdraft limits of accounts (은행-008..010)."""

from typing import Any, Final

from mydata_sandbox.world.bank.bank_accounts import DemandDeposit, find_account
from mydata_sandbox.world.bank.bank_deposit import get_sub_account_balance
from mydata_sandbox.world.days import add_seconds, find_next_anniversary, parse_window, select_newest_first
from mydata_sandbox.world.lending.lending import (
    Instalment,
    Interest,
    Loan,
    Repayment,
    find_next_due,
    get_balance,
    list_paid,
)
from mydata_sandbox.world.model import ApiError, DataHandler, DataRequest

OWN_BANK: Final = "ZDRB0001"
"""The bank that instalments are debited at (this one): its organisation code without the first two letters."""
DEBITED_AT: Final = 6 * 3600
DISBURSED_AT: Final = 11 * 3600


def get_basics(request: DataRequest) -> dict[str, Any]:
    """Returns 은행-008: the contract. An overdraft limit (마이너스약정) has no repayment day."""
    account = _find_loan_account(request)
    if isinstance(account, DemandDeposit):
        return {
            "issue_date": account.opened,
            "exp_date": find_next_anniversary(account.opened, request.today),
            "last_offered_rate": account.limit_rate,
            "repay_method": Repayment.CREDIT_LINE,
        }
    return {
        "issue_date": account.opened,
        "exp_date": account.get_maturity(request.today),
        "last_offered_rate": account.rate,
        "repay_date": f"{account.opened.day:02}",
        "repay_method": account.method,
        "repay_org_code": OWN_BANK if account.debit_account else None,
        "repay_account_num": account.debit_account,
    }


def get_details(request: DataRequest) -> dict[str, Any]:
    """Returns 은행-009: the balance owed today; for an overdraft limit, the amount drawn."""
    account = _find_loan_account(request)
    if isinstance(account, DemandDeposit):
        drawn = max(-get_sub_account_balance(request, account, account.sub_accounts[0]), 0)
        return {"currency_code": "KRW", "balance_amt": drawn, "loan_principal": account.limit}
    return {
        "currency_code": "KRW",
        "balance_amt": get_balance(request, account, request.today),
        "loan_principal": account.principal,
        "next_repay_date": find_next_due(account, request.today),
    }


def list_transactions(request: DataRequest) -> dict[str, Any]:
    """Returns 은행-010: the disbursement and the instalments. Movements of an overdraft are in 은행-004."""
    loan = find_account(request, Loan)
    _, last = parse_window(request)
    rows = [
        _build_lending_row(loan),
        *(_build_repayment_row(instalment) for instalment in list_paid(request, loan, last)),
    ]
    return {"trans_list": select_newest_first(request, rows)}


def _find_loan_account(request: DataRequest) -> Loan | DemandDeposit:
    account = find_account(request, Loan, DemandDeposit)
    if isinstance(account, DemandDeposit) and not account.limit:
        raise ApiError(404, "40402", "대출 약정이 없는 계좌")
    return account


def _build_lending_row(loan: Loan) -> dict[str, Any]:
    return {
        "trans_dtime": add_seconds(loan.opened, DISBURSED_AT),
        "trans_no": "0",
        "trans_type": "01",
        "currency_code": "KRW",
        "trans_amt": loan.principal,
        "balance_amt": loan.principal,
        "principal_amt": loan.principal,
        "int_amt": 0,
        "int_list": [],
    }


def _build_repayment_row(instalment: Instalment) -> dict[str, Any]:
    return {
        "trans_dtime": add_seconds(instalment.paid_on, DEBITED_AT),
        "trans_no": str(instalment.number),
        "trans_type": "02",
        "currency_code": "KRW",
        "trans_amt": instalment.principal + instalment.interest_amount,
        "balance_amt": instalment.balance,
        "principal_amt": instalment.principal,
        "int_amt": instalment.interest_amount,
        "int_list": [_build_interest_row(part) for part in instalment.interest],
    }


def _build_interest_row(part: Interest) -> dict[str, Any]:
    return {
        "int_start_date": part.first,
        "int_end_date": part.last,
        "int_rate": part.rate,
        "applied_int_amt": part.amount,
        "int_type": "02" if part.is_late else "01",
    }


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "은행-008": get_basics,
    "은행-009": get_details,
    "은행-010": list_transactions,
}
