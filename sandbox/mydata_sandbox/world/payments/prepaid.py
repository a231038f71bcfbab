"""Prepaid cards of card companies and, if enabled, of banks (선불카드, 규격 4.2.1): one rechargeable, one a gift."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from mydata_sandbox.world.counterparties import MERCHANTS, draw_id, get_own_account
from mydata_sandbox.world.lookup import find_asset
from mydata_sandbox.world.model import DataHandler, DataRequest
from mydata_sandbox.world.months import get_yesterday, parse_day_window, to_month
from mydata_sandbox.world.payments.prepaid_balance import (
    CORRECTED,
    PAID,
    REFUNDED,
    TO_BANK,
    Entry,
    PrepaidBalance,
    Purchase,
    compute_reward,
    get_last_balance,
    list_entries,
    list_purchases,
)
from mydata_sandbox.world.seeds import build_seed
from mydata_sandbox.world.shared import EXTRA_CONSENTS

_BY_TRANSFER: Final = "5102"
_BY_VOUCHER: Final = "5105"
_AT_BANK: Final = frozenset({_BY_TRANSFER, TO_BANK})
_PAYMENTS: Final = frozenset({PAID, REFUNDED})
_MAX_EVERYDAY_PRICE: Final = 60_000
_EVERYDAY: Final = tuple(merchant for merchant in MERCHANTS if merchant.max_price <= _MAX_EVERYDAY_PRICE)


@dataclass(frozen=True, slots=True)
class Product:
    """A prepaid card: its limit in 만원, `years` from the customer's first day to its issue, and how it is used."""

    name: str
    limit: int
    years: int
    purchases: tuple[int, int]
    transfers: int
    source: str
    min_balance: int
    top_up_amount: int


PRODUCTS: Final = (
    Product("가온 모아충전 선불카드", 200, 2, (34, 52), 4, _BY_TRANSFER, 10_000, 100_000),
    Product("가온 기프트카드 50", 50, 1, (2, 5), 0, _BY_VOUCHER, 5_000, 50_000),
)


@dataclass(frozen=True, slots=True)
class Card:
    """A customer's prepaid card."""

    pp_id: str
    product: Product
    balance: PrepaidBalance


def list_cards(request: DataRequest) -> tuple[Card, ...]:
    """Returns the customer's prepaid cards, the newest first."""
    cards = (_build_card(request, product) for product in PRODUCTS)
    return tuple(sorted(cards, key=lambda card: card.balance.opened, reverse=True))


def _build_card(request: DataRequest, product: Product) -> Card:
    rng = request.build_random("prepaid", product.name)
    opened = request.customer.since + timedelta(days=365 * product.years + rng.randrange(300))
    balance = PrepaidBalance(
        subject=product.name,
        opened=opened,
        merchants=_EVERYDAY,
        purchases=product.purchases,
        transfers=product.transfers,
        source=product.source,
        min_balance=product.min_balance,
        top_up_amount=product.top_up_amount,
        closing_balance=product.min_balance,
    )
    return Card(draw_id(request.build_random("pp_id", product.name)), product, balance)


def _find_card(request: DataRequest) -> Card:
    return find_asset(list_cards(request), lambda card: card.pp_id == request.params.get("pp_id"))


def _list_assets(request: DataRequest) -> dict[str, Any]:
    rows = [
        {
            "pp_id": card.pp_id,
            "pp_name": card.product.name,
            "is_consent": True,
            "reg_date": card.balance.opened,
            "limit_amt": card.product.limit,
        }
        for card in list_cards(request)
    ]
    return {"pp_list": rows}


def _get_balance(request: DataRequest) -> dict[str, Any]:
    return build_balance(request, _find_card(request).balance)


def build_balance(request: DataRequest, balance: PrepaidBalance) -> dict[str, Any]:
    """Returns a balance: money, points, and the points due next month."""
    total, points = get_last_balance(request, balance)
    until = get_yesterday(request)
    return {
        "total_balance_amt": Decimal(total),
        "charge_balance_amt": Decimal(total - points),
        "reserve_balance_amt": Decimal(points),
        "reserve_due_amt": Decimal(compute_reward(build_seed(request), balance, to_month(until), until)),
    }


def _list_transactions(request: DataRequest) -> dict[str, Any]:
    """Returns 선불-003: charges, remittances and points. Payments to merchants are in 선불-004."""
    entries = list_entries(request, _find_card(request).balance, *parse_day_window(request))
    return {"trans_list": [_build_row(request, entry) for entry in reversed(entries) if entry.kind not in _PAYMENTS]}


def _build_row(request: DataRequest, entry: Entry) -> dict[str, Any]:
    bank, account = get_own_account(request) if entry.kind in _AT_BANK else (None, None)
    return {
        "trans_type": entry.kind,
        "trans_dtime": entry.moment,
        "trans_no": entry.number,
        "trans_amt": Decimal(entry.amount),
        "balance_amt": Decimal(entry.balance),
        "trans_org_code": bank,
        "trans_id": account,
    }


def _list_approvals(request: DataRequest) -> dict[str, Any]:
    purchases = list_purchases(request, _find_card(request).balance, *parse_day_window(request))
    # Banks have no consent to pass on merchants.
    has_merchant_consent = "is_consent_merchant_name_regno" in EXTRA_CONSENTS.get(request.industry, ())
    return {
        "approved_list": [
            _build_approval(purchase) | (_build_merchant(purchase) if has_merchant_consent else {})
            for purchase in reversed(purchases)
        ]
    }


def _build_merchant(purchase: Purchase) -> dict[str, Any]:
    return {"merchant_name": purchase.merchant.name, "merchant_regno": purchase.merchant.regno}


def _build_approval(purchase: Purchase) -> dict[str, Any]:
    return {
        "approved_num": purchase.number,
        "approved_dtime": purchase.moment,
        "status": purchase.status,
        "trans_dtime": purchase.changed_at,
        "approved_amt": purchase.price,
        "modified_amt": purchase.final_amount if purchase.status == CORRECTED else None,
    }


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "선불-001": _list_assets,
    "선불-002": _get_balance,
    "선불-003": _list_transactions,
    "선불-004": _list_approvals,
}
