"""A card company (카드, 규격 4.2.3): cards, points, approvals. Bills are in `card_bills`, loans in `card_loans`."""

from decimal import Decimal
from typing import Any, Final

from mydata_sandbox.world.card import card_bills, card_loans
from mydata_sandbox.world.card.card_uses import CORRECTED, Use, list_domestic, list_overseas, select_uses
from mydata_sandbox.world.card.card_wallet import find_card, list_cards
from mydata_sandbox.world.counterparties import get_own_account
from mydata_sandbox.world.model import DataHandler, DataRequest
from mydata_sandbox.world.months import parse_day_window

_POINTS: Final = ("가온포인트", "너른하늘 마일리지", "제휴 커피 쿠폰점수")


def _list_cards(request: DataRequest) -> dict[str, Any]:
    rows = [
        {
            "card_id": card.card_id,
            "card_num": card.number,
            "is_consent": True,
            "card_name": card.product.name,
            "card_member": card.holder,
            "card_type": card.product.kind,
        }
        for card in list_cards(request)
    ]
    return {"card_list": rows}


def _get_basics(request: DataRequest) -> dict[str, Any]:
    card = find_card(request)
    bank, _ = get_own_account(request)
    return {
        "is_trans_payable": card.product.is_transit_card,
        "is_cash_card": card.product.is_cash_card,
        "linked_bank_code": bank,
        "card_brand": card.product.brand,
        "annual_fee": card.product.fee,
        "issue_date": card.issued,
    }


def _list_points(request: DataRequest) -> dict[str, Any]:
    return {"point_list": [_build_point_row(request, name) for name in _POINTS]}


def _build_point_row(request: DataRequest, name: str) -> dict[str, Any]:
    rng = request.build_random("points", name, request.today.year, request.today.month)
    remains = rng.randrange(0, 84_000)
    return {
        "point_name": name,
        "remain_point_amt": remains,
        "expiring_point_amt": remains * rng.randrange(0, 12) // 100,
    }


def _list_domestic_rows(request: DataRequest) -> dict[str, Any]:
    uses = select_uses(request, find_card(request), list_domestic, *parse_day_window(request))
    return {"approved_list": [_build_domestic_row(use) for use in uses]}


def _build_domestic_row(use: Use) -> dict[str, Any]:
    return {
        **_build_approval(use),
        "merchant_regno": use.merchant and use.merchant.regno,
        "merchant_name": use.merchant and use.merchant.name,
        "approved_amt": use.amount,
        "modified_amt": use.corrected_amount if use.status == CORRECTED else None,
        "total_install_cnt": use.parts,
    }


def _list_overseas_rows(request: DataRequest) -> dict[str, Any]:
    uses = select_uses(request, find_card(request), list_overseas, *parse_day_window(request))
    return {"approved_list": [_build_overseas_row(use) for use in uses]}


def _build_overseas_row(use: Use) -> dict[str, Any]:
    """Returns the row of an overseas use. This company fixes the amount in won at approval."""
    foreign_merchant = use.foreign_merchant
    return {
        **_build_approval(use),
        "merchant_name": foreign_merchant and foreign_merchant.name,
        "approved_amt": Decimal(use.foreign_amount),
        "country_code": foreign_merchant and foreign_merchant.country,
        "currency_code": foreign_merchant and foreign_merchant.currency,
        "krw_amt": use.amount,
    }


def _build_approval(use: Use) -> dict[str, Any]:
    return {
        "approved_num": use.number,
        "approved_dtime": use.moment,
        "status": use.status,
        "pay_type": use.pay_type,
        "trans_dtime": use.changed_at,
    }


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "카드-001": _list_cards,
    "카드-002": _get_basics,
    "카드-003": _list_points,
    **card_bills.DATA_HANDLERS,
    **card_loans.DATA_HANDLERS,
    "카드-008": _list_domestic_rows,
    "카드-009": _list_overseas_rows,
}
