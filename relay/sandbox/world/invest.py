"""The broker's stories: accounts, what was traded, what is held (금투-001..005)."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from relay.sandbox.world.days import newest_first
from relay.sandbox.world.invest_accounts import CENT, PENSION, WON, Account, Paper, accounts, asked
from relay.sandbox.world.invest_trades import (
    BUY,
    DEPOSIT,
    DETAILS,
    SELL,
    WITHDRAWAL,
    Holding,
    Trade,
    cash,
    holdings,
    trades,
)
from relay.sandbox.world.market import price_on
from relay.sandbox.world.model import Ask, Story


def account_list(ask: Ask) -> dict[str, Any]:
    """금투-001: the accounts by kind."""
    return {"account_list": [_listed(account) for account in accounts(ask)]}


def basics(ask: Ask) -> dict[str, Any]:
    """금투-002: the cash of each currency; a loan against papers stands with the won."""
    account = asked(ask)
    return {
        "base_date": ask.today,
        "basic_list": [
            {
                "currency_code": purse.currency,
                "withholdings_amt": cash(ask, account, purse.currency),
                "credit_loan_amt": 0,
                "mortgage_amt": account.mortgage if purse.currency == "KRW" else 0,
            }
            for purse in account.purses
        ],
    }


def transactions(ask: Ask) -> dict[str, Any]:
    """금투-003: money brought and taken, papers bought and sold."""
    return {"trans_list": newest_first(ask, (_booked(trade) for trade in trades(ask, asked(ask))))}


def products(ask: Ask) -> dict[str, Any]:
    """금투-004: what is held today, by code."""
    account = asked(ask)
    held = holdings(ask, account)
    currencies = {paper: purse.currency for purse in account.purses for paper in purse.papers}
    rows = [
        _held(ask, paper, held[paper], currencies[paper], taxed_less=account.taxed_less)
        for paper in sorted(held, key=lambda paper: paper.code)
    ]
    return {"base_date": ask.today, "prod_list": rows}


def pension(ask: Ask) -> dict[str, Any]:
    """금투-005: what a pension account was paid and what was taken from it; nobody draws a pension yet."""
    account = asked(ask, PENSION)
    lines = trades(ask, account)
    paid = [line for line in lines if line.kind == DEPOSIT]
    last: datetime | None = paid[-1].when if paid else None
    return {
        "issue_date": account.opened,
        "paid_in_amt": sum(line.amount for line in paid),
        "withdrawal_amt": sum(line.amount for line in lines if line.kind == WITHDRAWAL),
        "last_paid_in_date": last.date() if last else None,
        "rcv_amt": 0,
    }


def _listed(account: Account) -> dict[str, Any]:
    return {
        "account_num": account.number,
        "is_consent": True,
        "account_name": account.name,
        "account_type": account.kind,
        "issue_date": account.opened,
        "is_tax_benefits": account.taxed_less,
    }


def _booked(trade: Trade) -> dict[str, Any]:
    paper = trade.paper
    return {
        "prod_name": paper.name if paper else None,
        "prod_code": paper.code if paper else None,
        "trans_dtime": trade.when,
        "trans_no": trade.number,
        "trans_type": trade.kind,
        "trans_type_detail": DETAILS[trade.kind],
        "trans_num": trade.quantity if trade.kind in (BUY, SELL) else None,
        "base_amt": trade.price,
        "trans_amt": trade.amount,
        "settle_amt": trade.settled,
        "balance_amt": trade.balance,
        "currency_code": trade.currency,
        "ex_code": paper.exchange if paper else None,
    }


def _held(ask: Ask, paper: Paper, holding: Holding, currency: str, *, taxed_less: bool) -> dict[str, Any]:
    cent = WON if currency == "KRW" else CENT
    worth: Decimal = holding.quantity * price_on(paper.code, paper.base, ask.today, paper.tick)
    return {
        "prod_type": paper.kind,
        "prod_type_detail": paper.detail,
        "prod_code": paper.code,
        "ex_code": paper.exchange,
        "prod_name": paper.name,
        "pos_type": paper.position,
        "credit_type": paper.credit,
        "is_tax_benefits": taxed_less,
        "purchase_amt": holding.cost.quantize(cent),
        "holding_num": holding.quantity,
        "eval_amt": worth.quantize(cent),
        "currency_code": currency,
    }


STORIES: Final[dict[str, Story]] = {
    "금투-001": account_list,
    "금투-002": basics,
    "금투-003": transactions,
    "금투-004": products,
    "금투-005": pension,
}
