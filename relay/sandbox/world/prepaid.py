"""Prepaid cards of card houses and, when turned on, of banks (선불카드, 규격 4.2.1): one to recharge, one a gift."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from relay.sandbox.world import purse
from relay.sandbox.world.model import Ask, Story
from relay.sandbox.world.months import day_window, first, yesterday
from relay.sandbox.world.owned import the_one
from relay.sandbox.world.purse import Deal, Entry, Purse
from relay.sandbox.world.shared import EXTRA_CONSENTS
from relay.sandbox.world.street import SHOPS, opaque, own_account
from relay.sandbox.world.teller import teller

_BY_TRANSFER: Final = "5102"
_BY_VOUCHER: Final = "5105"
_AT_BANK: Final = frozenset({_BY_TRANSFER, purse.TO_BANK})
_PAYMENTS: Final = frozenset({purse.PAID, purse.PAID_BACK})
_NOT_DEAR: Final = 60_000
_EVERYDAY: Final = tuple(shop for shop in SHOPS if shop.most <= _NOT_DEAR)


@dataclass(frozen=True, slots=True)
class Product:
    """A prepaid card: its limit in 만원, years after the customer came that they took it, and how it is used."""

    name: str
    limit: int
    years: int
    purchases: tuple[int, int]
    friends: int
    source: str
    floor: int
    unit: int


PRODUCTS: Final = (
    Product("가온 모아충전 선불카드", 200, 2, (34, 52), 4, _BY_TRANSFER, 10_000, 100_000),
    Product("가온 기프트카드 50", 50, 1, (2, 5), 0, _BY_VOUCHER, 5_000, 50_000),
)


@dataclass(frozen=True, slots=True)
class Card:
    """A customer's prepaid card."""

    pp_id: str
    product: Product
    purse: Purse


def cards(ask: Ask) -> tuple[Card, ...]:
    """The customer's prepaid cards, the newest first."""
    found = (_card(ask, product) for product in PRODUCTS)
    return tuple(sorted(found, key=lambda card: card.purse.opened, reverse=True))


def _card(ask: Ask, product: Product) -> Card:
    dice = ask.dice("prepaid", product.name)
    opened = ask.customer.since + timedelta(days=365 * product.years + dice.randrange(300))
    kept = Purse(
        subject=product.name,
        opened=opened,
        shops=_EVERYDAY,
        purchases=product.purchases,
        friends=product.friends,
        source=product.source,
        floor=product.floor,
        unit=product.unit,
        rest=product.floor,
    )
    return Card(opaque(ask.dice("pp_id", product.name)), product, kept)


def _asked(ask: Ask) -> Card:
    return the_one(cards(ask), lambda card: card.pp_id == ask.params.get("pp_id"))


def _list(ask: Ask) -> dict[str, Any]:
    rows = [
        {
            "pp_id": card.pp_id,
            "pp_name": card.product.name,
            "is_consent": True,
            "reg_date": card.purse.opened,
            "limit_amt": card.product.limit,
        }
        for card in cards(ask)
    ]
    return {"pp_list": rows}


def _balance(ask: Ask) -> dict[str, Any]:
    return balance_of(ask, _asked(ask).purse)


def balance_of(ask: Ask, kept: Purse) -> dict[str, Any]:
    """What lies in a purse: money and points, and the points that are to come next month."""
    total, points = purse.standing(ask, kept)
    until = yesterday(ask)
    return {
        "total_balance_amt": Decimal(total),
        "charge_balance_amt": Decimal(total - points),
        "reserve_balance_amt": Decimal(points),
        "reserve_due_amt": Decimal(purse.reward(teller(ask), kept, first(until), until)),
    }


def _transactions(ask: Ask) -> dict[str, Any]:
    """Charges, remittances and points; what was paid in shops is told by 선불-004."""
    book = purse.entries(ask, _asked(ask).purse, *day_window(ask))
    return {"trans_list": [_row(ask, entry) for entry in reversed(book) if entry.kind not in _PAYMENTS]}


def _row(ask: Ask, entry: Entry) -> dict[str, Any]:
    bank, account = own_account(ask) if entry.kind in _AT_BANK else (None, None)
    return {
        "trans_type": entry.kind,
        "trans_dtime": entry.at,
        "trans_no": entry.number,
        "trans_amt": Decimal(entry.amount),
        "balance_amt": Decimal(entry.balance),
        "trans_org_code": bank,
        "trans_id": account,
    }


def _approvals(ask: Ask) -> dict[str, Any]:
    known = purse.deals(ask, _asked(ask).purse, *day_window(ask))
    # Banks ask their customers for no consent to tell the shops.
    named = "is_consent_merchant_name_regno" in EXTRA_CONSENTS.get(ask.industry, ())
    return {"approved_list": [_approval(deal) | (_shop(deal) if named else {}) for deal in reversed(known)]}


def _shop(deal: Deal) -> dict[str, Any]:
    return {"merchant_name": deal.shop.name, "merchant_regno": deal.shop.regno}


def _approval(deal: Deal) -> dict[str, Any]:
    return {
        "approved_num": deal.number,
        "approved_dtime": deal.at,
        "status": deal.status,
        "trans_dtime": deal.changed,
        "approved_amt": deal.price,
        "modified_amt": deal.cost if deal.status == purse.CORRECTED else None,
    }


STORIES: Final[dict[str, Story]] = {
    "선불-001": _list,
    "선불-002": _balance,
    "선불-003": _transactions,
    "선불-004": _approvals,
}
