"""Data handlers of the broker: accounts, trades, holdings (금투-001..005)."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from mydata_sandbox.world.days import select_newest_first
from mydata_sandbox.world.invest.invest_accounts import (
    CENT,
    PENSION,
    WON,
    Account,
    Security,
    find_account,
    list_accounts,
)
from mydata_sandbox.world.invest.invest_trades import (
    BUY,
    DEPOSIT,
    DETAILS,
    SELL,
    WITHDRAWAL,
    Holding,
    Trade,
    get_cash,
    get_holdings,
    list_trades,
)
from mydata_sandbox.world.invest.prices import get_price
from mydata_sandbox.world.model import DataHandler, DataRequest


def list_account_rows(request: DataRequest) -> dict[str, Any]:
    """Returns 금투-001: the accounts by kind."""
    return {"account_list": [_build_account_row(account) for account in list_accounts(request)]}


def get_basics(request: DataRequest) -> dict[str, Any]:
    """Returns 금투-002: the cash of each currency. A loan against securities is in the row of won."""
    account = find_account(request)
    return {
        "base_date": request.today,
        "basic_list": [
            {
                "currency_code": sub_account.currency,
                "withholdings_amt": get_cash(request, account, sub_account.currency),
                "credit_loan_amt": 0,
                "mortgage_amt": account.mortgage if sub_account.currency == "KRW" else 0,
            }
            for sub_account in account.sub_accounts
        ],
    }


def list_transactions(request: DataRequest) -> dict[str, Any]:
    """Returns 금투-003: deposits, withdrawals and trades."""
    return {
        "trans_list": select_newest_first(
            request, (_build_trade_row(trade) for trade in list_trades(request, find_account(request)))
        )
    }


def list_products(request: DataRequest) -> dict[str, Any]:
    """Returns 금투-004: today's holdings by code."""
    account = find_account(request)
    held = get_holdings(request, account)
    currencies = {
        security: sub_account.currency for sub_account in account.sub_accounts for security in sub_account.securities
    }
    rows = [
        _build_holding_row(
            request, security, held[security], currencies[security], is_tax_favoured=account.is_tax_favoured
        )
        for security in sorted(held, key=lambda security: security.code)
    ]
    return {"base_date": request.today, "prod_list": rows}


def get_pension(request: DataRequest) -> dict[str, Any]:
    """Returns 금투-005: payments into and out of a pension account. No pension is being paid out yet."""
    account = find_account(request, PENSION)
    account_trades = list_trades(request, account)
    paid = [trade for trade in account_trades if trade.kind == DEPOSIT]
    last: datetime | None = paid[-1].moment if paid else None
    return {
        "issue_date": account.opened,
        "paid_in_amt": sum(trade.amount for trade in paid),
        "withdrawal_amt": sum(trade.amount for trade in account_trades if trade.kind == WITHDRAWAL),
        "last_paid_in_date": last.date() if last else None,
        "rcv_amt": 0,
    }


def _build_account_row(account: Account) -> dict[str, Any]:
    return {
        "account_num": account.number,
        "is_consent": True,
        "account_name": account.name,
        "account_type": account.kind,
        "issue_date": account.opened,
        "is_tax_benefits": account.is_tax_favoured,
    }


def _build_trade_row(trade: Trade) -> dict[str, Any]:
    security = trade.security
    return {
        "prod_name": security.name if security else None,
        "prod_code": security.code if security else None,
        "trans_dtime": trade.moment,
        "trans_no": trade.number,
        "trans_type": trade.kind,
        "trans_type_detail": DETAILS[trade.kind],
        "trans_num": trade.quantity if trade.kind in (BUY, SELL) else None,
        "base_amt": trade.price,
        "trans_amt": trade.amount,
        "settle_amt": trade.settled,
        "balance_amt": trade.balance,
        "currency_code": trade.currency,
        "ex_code": security.exchange if security else None,
    }


def _build_holding_row(
    request: DataRequest, security: Security, holding: Holding, currency: str, *, is_tax_favoured: bool
) -> dict[str, Any]:
    smallest_unit = WON if currency == "KRW" else CENT
    value: Decimal = holding.quantity * get_price(security.code, security.base, request.today, security.tick)
    return {
        "prod_type": security.kind,
        "prod_type_detail": security.detail,
        "prod_code": security.code,
        "ex_code": security.exchange,
        "prod_name": security.name,
        "pos_type": security.position,
        "credit_type": security.credit,
        "is_tax_benefits": is_tax_favoured,
        "purchase_amt": holding.cost.quantize(smallest_unit),
        "holding_num": holding.quantity,
        "eval_amt": value.quantize(smallest_unit),
        "currency_code": currency,
    }


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "금투-001": list_account_rows,
    "금투-002": get_basics,
    "금투-003": list_transactions,
    "금투-004": list_products,
    "금투-005": get_pension,
}
