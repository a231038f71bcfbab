"""Electronic finance (전자금융, 규격 4.2.6): prepaid balances in won and yen. Payments are in `efin_paid`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from mydata_sandbox.world.counterparties import MERCHANTS, YEN_MERCHANTS, Merchant, draw_id, get_own_account
from mydata_sandbox.world.lookup import find_asset, get_owned
from mydata_sandbox.world.model import ApiError, DataHandler, DataRequest
from mydata_sandbox.world.months import parse_day_window
from mydata_sandbox.world.payments import efin_paid
from mydata_sandbox.world.payments.prepaid import build_balance
from mydata_sandbox.world.payments.prepaid_balance import TO_BANK, Entry, PrepaidBalance, list_entries

_BY_TRANSFER: Final = "5102"
_WITH_BANK_ACCOUNT: Final = frozenset({_BY_TRANSFER, TO_BANK})
_BELOW_MINIMUM: Final = "02"


@dataclass(frozen=True, slots=True)
class Product:
    """A 권면 (a prepaid product): limit in 만원, whether it is topped up automatically, its currency if foreign.

    `purchases` is the range of purchases a month, `transfers` the number of transfers to a bank a month.
    """

    code: str
    name: str
    limit: int
    is_topped_up: bool
    currency: str | None
    merchants: tuple[Merchant, ...]
    purchases: tuple[int, int]
    transfers: int
    min_balance: int
    top_up_amount: int


PRODUCTS: Final = (
    Product("FOB-01", "콩주머니 머니", 200, True, None, MERCHANTS, (40, 64), 6, 20_000, 50_000),
    Product("FOB-02", "콩주머니 엔화지갑", 100, False, "JPY", YEN_MERCHANTS, (0, 4), 0, 1_000, 10_000),
)

# The accounts of each customer; balances in foreign currencies have no account.
_ACCOUNTS: Final[Mapping[int, tuple[str, ...]]] = {
    1: ("garam-0314",),
    2: ("narae1102",),
    3: ("daon.park", "daon.shop"),
}


@dataclass(frozen=True, slots=True)
class Fob:
    """A customer's 권면 with the balance of each account, or one balance without an account (None)."""

    fob_id: str
    product: Product
    opened: date
    balances: Mapping[str | None, PrepaidBalance]


def list_fobs(request: DataRequest) -> tuple[Fob, ...]:
    """Returns the customer's 권면."""
    return tuple(_build_fob(request, product) for product in PRODUCTS)


def _build_fob(request: DataRequest, product: Product) -> Fob:
    rng = request.build_random("fob", product.code)
    opened = request.customer.since + timedelta(days=rng.randrange(200, 700))
    names = (None,) if product.currency else get_owned(_ACCOUNTS, request)
    balances = {name: _build_balance(product, opened, name) for name in names}
    fob_id = f"{product.code}-{draw_id(request.build_random('fob_id', product.code))[:32]}"
    return Fob(fob_id, product, opened, balances)


def _build_balance(product: Product, opened: date, account: str | None) -> PrepaidBalance:
    return PrepaidBalance(
        subject=f"{product.code}/{account}",
        opened=opened,
        merchants=product.merchants,
        purchases=product.purchases,
        transfers=product.transfers,
        source=_BY_TRANSFER,
        min_balance=product.min_balance,
        top_up_amount=product.top_up_amount,
        closing_balance=product.min_balance,
    )


def _find_balance(request: DataRequest) -> tuple[Fob, PrepaidBalance]:
    fob = find_asset(list_fobs(request), lambda fob: fob.fob_id == request.params.get("fob_id"))
    account = request.params.get("account_id") or None
    if account is None and None not in fob.balances:
        raise ApiError(400, "40001", "요청 파라미터 오류: account_id")
    return fob, find_asset(tuple(fob.balances.items()), lambda item: item[0] == account)[1]


def _list_assets(request: DataRequest) -> dict[str, Any]:
    return {"fob_list": [_build_fob_row(fob) for fob in list_fobs(request)]}


def _build_fob_row(fob: Fob) -> dict[str, Any]:
    accounts = [{"account_id": name} for name in fob.balances if name]
    return {
        "fob_id": fob.fob_id,
        "fob_name": fob.product.name,
        "is_consent": True,
        "reg_date": fob.opened,
        "limit_amt": fob.product.limit,
        "is_charge": fob.product.is_topped_up,
        "currency_code": fob.product.currency,
        "account_list": accounts or None,
    }


def _get_balance(request: DataRequest) -> dict[str, Any]:
    _, balance = _find_balance(request)
    return build_balance(request, balance)


def _list_charge_rules(request: DataRequest) -> dict[str, Any]:
    """Returns 전금-003: the automatic charge, made when less than `min_balance` would be left."""
    fob, balance = _find_balance(request)
    if not fob.product.is_topped_up:
        raise ApiError(403, "40301", "자동충전이 등록되지 않은 권면")
    bank, account = get_own_account(request)
    rule = {
        "charge_org_code": bank,
        "charge_account_num": account,
        "charge_option": _BELOW_MINIMUM,
        "charge_base_amt": Decimal(balance.min_balance),
        "charge_amt": Decimal(balance.top_up_amount),
    }
    return {"charge_list": [rule]}


def _list_transactions(request: DataRequest) -> dict[str, Any]:
    _, balance = _find_balance(request)
    entries = list_entries(request, balance, *parse_day_window(request))
    return {"trans_list": [_build_row(request, entry) for entry in reversed(entries)]}


def _build_row(request: DataRequest, entry: Entry) -> dict[str, Any]:
    bank, account = get_own_account(request) if entry.kind in _WITH_BANK_ACCOUNT else (None, None)
    row = {
        "trans_type": entry.kind,
        "trans_dtime": entry.moment,
        "trans_no": entry.number,
        "trans_amt": Decimal(entry.amount),
        "balance_amt": Decimal(entry.balance),
        "trans_org_code": bank,
        "trans_id": account,
        "trans_memo": entry.memo,
    }
    if entry.purchase is None:
        return row
    merchant = entry.purchase.merchant
    return row | {
        "merchant_name": merchant.name,
        "trans_title": entry.purchase.goods,
        "trans_category": merchant.kind,
        "pay_method": merchant.pay_method,
    }


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "전금-001": _list_assets,
    "전금-002": _get_balance,
    "전금-003": _list_charge_rules,
    "전금-004": _list_transactions,
    **efin_paid.DATA_HANDLERS,
}
