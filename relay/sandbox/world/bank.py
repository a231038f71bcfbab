"""The bank's stories: its accounts, and the rooms they are told in (은행-001..010)."""

from typing import Any, Final

from relay.sandbox.world import bank_deposit, bank_invest, bank_loan
from relay.sandbox.world.bank_accounts import Account, Purse, Term, accounts
from relay.sandbox.world.model import Ask, Story

ACTIVE: Final = "01"


def account_list(ask: Ask) -> dict[str, Any]:
    """은행-001: all accounts; only deposits say whether they are foreign and whether they may go below zero."""
    return {"reg_date": ask.customer.since, "account_list": [_listed(account) for account in accounts(ask)]}


def _listed(account: Account) -> dict[str, Any]:
    deposit = isinstance(account, Purse | Term)
    purse = account if isinstance(account, Purse) else None
    return {
        "account_num": account.number,
        "is_consent": True,
        "seqno": account.seqno,
        "is_foreign_deposit": bool(purse and purse.is_foreign) if deposit else None,
        "prod_name": account.product,
        "is_minus": bool(purse and purse.limit) if deposit else None,
        "account_type": account.account_type,
        "account_status": ACTIVE,
    }


STORIES: Final[dict[str, Story]] = {
    "은행-001": account_list,
    **bank_deposit.STORIES,
    **bank_invest.STORIES,
    **bank_loan.STORIES,
}
