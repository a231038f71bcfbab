"""Data handlers of the bank (은행-001..010)."""

from typing import Any, Final

from mydata_sandbox.world.bank import bank_deposit, bank_invest, bank_loan
from mydata_sandbox.world.bank.bank_accounts import Account, DemandDeposit, TermDeposit, list_accounts
from mydata_sandbox.world.model import DataHandler, DataRequest

ACTIVE: Final = "01"


def list_account_rows(request: DataRequest) -> dict[str, Any]:
    """Returns 은행-001: all accounts. Only deposits have `is_foreign_deposit` and `is_minus`."""
    return {
        "reg_date": request.customer.since,
        "account_list": [_build_account_row(account) for account in list_accounts(request)],
    }


def _build_account_row(account: Account) -> dict[str, Any]:
    is_deposit = isinstance(account, DemandDeposit | TermDeposit)
    deposit = account if isinstance(account, DemandDeposit) else None
    return {
        "account_num": account.number,
        "is_consent": True,
        "seqno": account.seqno,
        "is_foreign_deposit": bool(deposit and deposit.is_foreign) if is_deposit else None,
        "prod_name": account.product,
        "is_minus": bool(deposit and deposit.limit) if is_deposit else None,
        "account_type": account.account_type,
        "account_status": ACTIVE,
    }


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "은행-001": list_account_rows,
    **bank_deposit.DATA_HANDLERS,
    **bank_invest.DATA_HANDLERS,
    **bank_loan.DATA_HANDLERS,
}
