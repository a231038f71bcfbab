"""Electronic finance (전자금융, 규격 4.2.6): a purse on the phone and one of foreign money; payments in `efin_paid`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from relay.sandbox.world import efin_paid, purse
from relay.sandbox.world.model import Absent, Ask, Story
from relay.sandbox.world.months import day_window
from relay.sandbox.world.owned import owned, the_one
from relay.sandbox.world.prepaid import balance_of
from relay.sandbox.world.purse import Entry, Purse
from relay.sandbox.world.street import SHOPS, YEN_SHOPS, Shop, opaque, own_account

_BY_TRANSFER: Final = "5102"
_AT_BANK: Final = frozenset({_BY_TRANSFER, purse.TO_BANK})
_BELOW_A_BASE: Final = "02"


@dataclass(frozen=True, slots=True)
class Product:
    """A 권면: limit in 만원, whether it charges itself, its currency when foreign, and how its purses are used."""

    code: str
    name: str
    limit: int
    charges_itself: bool
    currency: str | None
    shops: tuple[Shop, ...]
    purchases: tuple[int, int]
    friends: int
    floor: int
    unit: int


PRODUCTS: Final = (
    Product("FOB-01", "콩주머니 머니", 200, True, None, SHOPS, (40, 64), 6, 20_000, 50_000),
    Product("FOB-02", "콩주머니 엔화지갑", 100, False, "JPY", YEN_SHOPS, (0, 4), 0, 1_000, 10_000),
)

# The accounts each customer keeps in the purse on the phone; foreign money lies under no account.
_ACCOUNTS: Final[Mapping[int, tuple[str, ...]]] = {
    1: ("garam-0314",),
    2: ("narae1102",),
    3: ("daon.park", "daon.shop"),
}


@dataclass(frozen=True, slots=True)
class Fob:
    """A customer's 권면 with the purse of each account, or one purse under no account (None)."""

    fob_id: str
    product: Product
    opened: date
    purses: Mapping[str | None, Purse]


def fobs(ask: Ask) -> tuple[Fob, ...]:
    """The customer's 권면."""
    return tuple(_fob(ask, product) for product in PRODUCTS)


def _fob(ask: Ask, product: Product) -> Fob:
    dice = ask.dice("fob", product.code)
    opened = ask.customer.since + timedelta(days=dice.randrange(200, 700))
    names = (None,) if product.currency else owned(_ACCOUNTS, ask)
    purses = {name: _purse(product, opened, name) for name in names}
    fob_id = f"{product.code}-{opaque(ask.dice('fob_id', product.code))[:32]}"
    return Fob(fob_id, product, opened, purses)


def _purse(product: Product, opened: date, account: str | None) -> Purse:
    return Purse(
        subject=f"{product.code}/{account}",
        opened=opened,
        shops=product.shops,
        purchases=product.purchases,
        friends=product.friends,
        source=_BY_TRANSFER,
        floor=product.floor,
        unit=product.unit,
        rest=product.floor,
    )


def _asked(ask: Ask) -> tuple[Fob, Purse]:
    fob = the_one(fobs(ask), lambda fob: fob.fob_id == ask.params.get("fob_id"))
    account = ask.params.get("account_id") or None
    if account is None and None not in fob.purses:
        raise Absent(400, "40001", "요청 파라미터 오류: account_id")
    return fob, the_one(tuple(fob.purses.items()), lambda held: held[0] == account)[1]


def _list(ask: Ask) -> dict[str, Any]:
    return {"fob_list": [_fob_row(fob) for fob in fobs(ask)]}


def _fob_row(fob: Fob) -> dict[str, Any]:
    accounts = [{"account_id": name} for name in fob.purses if name]
    return {
        "fob_id": fob.fob_id,
        "fob_name": fob.product.name,
        "is_consent": True,
        "reg_date": fob.opened,
        "limit_amt": fob.product.limit,
        "is_charge": fob.product.charges_itself,
        "currency_code": fob.product.currency,
        "account_list": accounts or None,
    }


def _balance(ask: Ask) -> dict[str, Any]:
    _, kept = _asked(ask)
    return balance_of(ask, kept)


def _charge(ask: Ask) -> dict[str, Any]:
    """The rule by which the purse charges itself: as soon as less than the floor would be left."""
    fob, kept = _asked(ask)
    if not fob.product.charges_itself:
        raise Absent(403, "40301", "자동충전이 등록되지 않은 권면")
    bank, account = own_account(ask)
    rule = {
        "charge_org_code": bank,
        "charge_account_num": account,
        "charge_option": _BELOW_A_BASE,
        "charge_base_amt": Decimal(kept.floor),
        "charge_amt": Decimal(kept.unit),
    }
    return {"charge_list": [rule]}


def _transactions(ask: Ask) -> dict[str, Any]:
    _, kept = _asked(ask)
    book = purse.entries(ask, kept, *day_window(ask))
    return {"trans_list": [_row(ask, entry) for entry in reversed(book)]}


def _row(ask: Ask, entry: Entry) -> dict[str, Any]:
    bank, account = own_account(ask) if entry.kind in _AT_BANK else (None, None)
    row = {
        "trans_type": entry.kind,
        "trans_dtime": entry.at,
        "trans_no": entry.number,
        "trans_amt": Decimal(entry.amount),
        "balance_amt": Decimal(entry.balance),
        "trans_org_code": bank,
        "trans_id": account,
        "trans_memo": entry.memo,
    }
    if entry.deal is None:
        return row
    shop = entry.deal.shop
    return row | {
        "merchant_name": shop.name,
        "trans_title": entry.deal.goods,
        "trans_category": shop.kind,
        "pay_method": shop.pay_method,
    }


STORIES: Final[dict[str, Story]] = {
    "전금-001": _list,
    "전금-002": _balance,
    "전금-003": _charge,
    "전금-004": _transactions,
    **efin_paid.STORIES,
}
