"""A card house (카드, 규격 4.2.3): cards, points, approvals; bills are in `card_bills`, loans in `card_loans`."""

from decimal import Decimal
from typing import Any, Final

from relay.sandbox.world import card_bills, card_loans
from relay.sandbox.world.card_uses import CORRECTED, Use, abroad, at_home, within
from relay.sandbox.world.card_wallet import the_card, wallet
from relay.sandbox.world.model import Ask, Story
from relay.sandbox.world.months import day_window
from relay.sandbox.world.street import own_account

_POINTS: Final = ("가온포인트", "너른하늘 마일리지", "제휴 커피 쿠폰점수")


def _cards(ask: Ask) -> dict[str, Any]:
    rows = [
        {
            "card_id": card.card_id,
            "card_num": card.number,
            "is_consent": True,
            "card_name": card.product.name,
            "card_member": card.member,
            "card_type": card.product.kind,
        }
        for card in wallet(ask)
    ]
    return {"card_list": rows}


def _basics(ask: Ask) -> dict[str, Any]:
    card = the_card(ask)
    bank, _ = own_account(ask)
    return {
        "is_trans_payable": card.product.transit,
        "is_cash_card": card.product.cash,
        "linked_bank_code": bank,
        "card_brand": card.product.brand,
        "annual_fee": card.product.fee,
        "issue_date": card.issued,
    }


def _points(ask: Ask) -> dict[str, Any]:
    return {"point_list": [_point(ask, name) for name in _POINTS]}


def _point(ask: Ask, name: str) -> dict[str, Any]:
    dice = ask.dice("points", name, ask.today.year, ask.today.month)
    remains = dice.randrange(0, 84_000)
    return {
        "point_name": name,
        "remain_point_amt": remains,
        "expiring_point_amt": remains * dice.randrange(0, 12) // 100,
    }


def _domestic(ask: Ask) -> dict[str, Any]:
    uses = within(ask, the_card(ask), at_home, *day_window(ask))
    return {"approved_list": [_at_home_row(use) for use in uses]}


def _at_home_row(use: Use) -> dict[str, Any]:
    return {
        **_approval(use),
        "merchant_regno": use.shop and use.shop.regno,
        "merchant_name": use.shop and use.shop.name,
        "approved_amt": use.amount,
        "modified_amt": use.corrected if use.status == CORRECTED else None,
        "total_install_cnt": use.parts,
    }


def _overseas(ask: Ask) -> dict[str, Any]:
    uses = within(ask, the_card(ask), abroad, *day_window(ask))
    return {"approved_list": [_abroad_row(use) for use in uses]}


def _abroad_row(use: Use) -> dict[str, Any]:
    """A use abroad; this house settles the won when it approves."""
    place = use.place
    return {
        **_approval(use),
        "merchant_name": place and place.name,
        "approved_amt": Decimal(use.foreign),
        "country_code": place and place.country,
        "currency_code": place and place.currency,
        "krw_amt": use.amount,
    }


def _approval(use: Use) -> dict[str, Any]:
    return {
        "approved_num": use.number,
        "approved_dtime": use.at,
        "status": use.status,
        "pay_type": use.pay_type,
        "trans_dtime": use.changed,
    }


STORIES: Final[dict[str, Story]] = {
    "카드-001": _cards,
    "카드-002": _basics,
    "카드-003": _points,
    **card_bills.STORIES,
    **card_loans.STORIES,
    "카드-008": _domestic,
    "카드-009": _overseas,
}
