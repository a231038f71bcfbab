"""Payments through an electronic finance company (전금-101 to 103): accounts, means of payment, purchases."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from mydata_sandbox.world.counterparties import (
    CARD_COMPANY,
    ONLINE_MERCHANTS,
    Merchant,
    draw_digits,
    draw_id,
    draw_purchase,
    get_own_account,
)
from mydata_sandbox.world.days import DAY, add_months, get_month_end, iter_months
from mydata_sandbox.world.lookup import find_asset, get_owned
from mydata_sandbox.world.model import ApiError, DataHandler, DataRequest
from mydata_sandbox.world.months import parse_day_window, to_month

_CARD: Final = "6101"
_TRANSFER: Final = "6102"
_POINTS: Final = "6103"
_BY_SLIP: Final = "6104"
# 6201 is the refund of 6101, and so on.
_REFUND_OFFSET: Final = 100
_REGISTERED: Final = (_CARD, _CARD, _CARD, _TRANSFER, _TRANSFER, _POINTS)
_REFUND_ONE_IN: Final = 12
_IN_PARTS_FROM: Final = 50_000
_IN_PARTS_ONE_IN: Final = 3
_PARTS: Final = (2, 3, 6)
_MEMOS: Final = ("생일선물", "사무실 비품", "집들이", "주말 준비")


@dataclass(frozen=True, slots=True)
class Account:
    """An account. A guest has no registered means of payment and pays by bank slip."""

    sub_key: str
    account_id: str
    opened: date
    is_guest: bool
    orders: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment of an order, or its refund (with a kind of 62xx)."""

    kind: str
    order: str
    moment: datetime
    amount: int
    merchant: Merchant
    goods: str
    parts: int | None
    memo: str | None

    @property
    def means(self) -> str:
        """The means of payment, also of a refund."""
        return self.kind if self.kind[1] == "1" else str(int(self.kind) - _REFUND_OFFSET)


# account_id, is_guest, orders a month
_ACCOUNTS: Final = {
    1: (("garam-0314", False, (42, 58)),),
    2: (("narae1102", False, (8, 18)), ("narae.guest", True, (0, 2))),
    3: (("daon.park", False, (14, 30)),),
}


def list_accounts(request: DataRequest) -> tuple[Account, ...]:
    """Returns the customer's accounts."""
    return tuple(_build_account(request, *account) for account in get_owned(_ACCOUNTS, request))


def _build_account(request: DataRequest, name: str, is_guest: bool, orders: tuple[int, int]) -> Account:
    opened = request.customer.since + timedelta(days=request.build_random("paid", name).randrange(30, 500))
    return Account(draw_id(request.build_random("sub_key", name)), name, opened, is_guest, orders)


def _find_account(request: DataRequest) -> Account:
    return find_asset(list_accounts(request), lambda account: account.sub_key == request.params.get("sub_key"))


def _list_assets(request: DataRequest) -> dict[str, Any]:
    rows = [
        {
            "sub_key": account.sub_key,
            "account_id": account.account_id,
            "is_consent": True,
            "reg_date": account.opened,
            "is_pay": not account.is_guest,
        }
        for account in list_accounts(request)
    ]
    return {"account_list": rows}


def _build_means(request: DataRequest) -> dict[str, tuple[str, str]]:
    first_digits = draw_digits(request.build_random("means"), 3)
    last_digits = draw_digits(request.build_random("means", "card"), 4)
    card = f"9{first_digits}-****-****-{last_digits}"
    return {_CARD: (CARD_COMPANY, card), _TRANSFER: get_own_account(request)}


def _list_methods(request: DataRequest) -> dict[str, Any]:
    if _find_account(request).is_guest:
        raise ApiError(403, "40301", "결제수단이 등록되지 않은 계정")
    rows = [
        {"pay_org_code": org_code, "pay_id": number, "is_primary": kind == _CARD}
        for kind, (org_code, number) in _build_means(request).items()
    ]
    return {"pay_list": rows}


def _list_transactions(request: DataRequest) -> dict[str, Any]:
    account = _find_account(request)
    start, end = parse_day_window(request)
    months = iter_months(max(start, add_months(to_month(account.opened), 1)), end)
    payments = [payment for month in months for payment in _draw_month(request, account, month)]
    means = _build_means(request)
    rows = [_build_row(payment, *means.get(payment.means, (None, None))) for payment in payments]
    return {"trans_list": [row for row in rows if start <= row["trans_dtime"].date() <= end][::-1]}


def _build_row(payment: Payment, org_code: str | None, number: str | None) -> dict[str, Any]:
    return {
        "trans_type": payment.kind,
        "trans_num": payment.order,
        "trans_dtime": payment.moment,
        "trans_no": f"{payment.order}-{payment.kind}",
        "trans_amt": Decimal(payment.amount),
        "trans_org_code": org_code,
        "pay_id": number,
        "total_install_cnt": payment.parts,
        "trans_memo": payment.memo,
        "merchant_name": payment.merchant.name,
        "merchant_regno": payment.merchant.regno,
        "trans_title": payment.goods,
        "trans_category": payment.merchant.kind,
        "pay_method": payment.merchant.pay_method,
    }


def _draw_month(request: DataRequest, account: Account, month: date) -> list[Payment]:
    return sorted(_draw_unsorted_month(request, account, month), key=lambda payment: payment.moment)


def _draw_unsorted_month(request: DataRequest, account: Account, month: date) -> Iterator[Payment]:
    """Yields all payments and refunds of a month. It is always the whole month, so that all periods agree."""
    rng = request.build_random("orders", account.account_id, month)
    end = get_month_end(month)
    for count in range(rng.randint(*account.orders)):
        merchant, moment, price = draw_purchase(rng, month.replace(day=rng.randint(1, end.day)), ONLINE_MERCHANTS)
        kind = _BY_SLIP if account.is_guest else rng.choice(_REGISTERED)
        order = f"{moment:%Y%m%d}-{count:03d}{draw_digits(rng, 5)}"
        in_parts = kind == _CARD and price >= _IN_PARTS_FROM and rng.randrange(_IN_PARTS_ONE_IN) == 0
        parts = rng.choice(_PARTS) if in_parts else None
        goods, memo = rng.choice(merchant.goods), rng.choice(_MEMOS) if rng.randrange(4) == 0 else None
        yield Payment(kind, order, moment, price, merchant, goods, parts, memo)
        refunded_at = moment + rng.randint(1, 6) * DAY
        if rng.randrange(_REFUND_ONE_IN) == 0 and refunded_at.date() <= end:
            yield Payment(str(int(kind) + _REFUND_OFFSET), order, refunded_at, price, merchant, goods, parts, memo)


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "전금-101": _list_assets,
    "전금-102": _list_methods,
    "전금-103": _list_transactions,
}
