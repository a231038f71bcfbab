"""Instalment finance (할부금융, 규격 4.2.7): a car instalment plan, an unsecured loan and an operating lease."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from mydata_sandbox.world.counterparties import draw_digits, get_own_account
from mydata_sandbox.world.days import DAY, find_term
from mydata_sandbox.world.lookup import find_asset
from mydata_sandbox.world.model import ApiError, DataHandler, DataRequest
from mydata_sandbox.world.months import get_yesterday, parse_day_window, to_datetime
from mydata_sandbox.world.schedule import (
    BULLET,
    EQUAL_PAYMENT,
    Instalment,
    Loan,
    draw_debit_time,
    get_next_instalment,
    list_paid,
)

_UNSECURED: Final = "3100"
_NEW_CAR: Final = "3500"
_LEASE: Final = "3710"
_LENT: Final = "01"
_PAID_BACK: Final = "02"
_IN_TIME: Final = "01"
_LATE: Final = "02"
_ACTIVE: Final = "01"
_OTHER_METHOD: Final = "09"
_LATE_SURCHARGE: Final = Decimal(3)
_LATE_ONE_IN: Final = 9


@dataclass(frozen=True, slots=True)
class Product:
    """A product: `months` of term, repayment `day`, amounts in units of `unit`, rates in tenths of a percent."""

    name: str
    kind: str
    months: int
    day: int
    unit: int
    amounts: tuple[int, int]
    rates: tuple[int, int]
    method: str


PRODUCTS: Final = (
    Product("도담캐피탈 새차 할부", _NEW_CAR, 60, 25, 500_000, (30, 80), (39, 72), EQUAL_PAYMENT),
    Product("도담캐피탈 직장인 신용대출", _UNSECURED, 36, 11, 1_000_000, (3, 30), (79, 149), BULLET),
    Product("도담캐피탈 오토리스 48", _LEASE, 48, 15, 10_000, (38, 115), (0, 1), _OTHER_METHOD),
)


@dataclass(frozen=True, slots=True)
class Account:
    """A customer's contract. For a lease, `loan.principal` is the monthly rent."""

    account_num: str
    product: Product
    loan: Loan

    @property
    def is_lease(self) -> bool:
        """Whether this is an operating lease: 할부금융-005 and 006 apply, 002 to 004 do not."""
        return self.product.kind == _LEASE


def list_accounts(request: DataRequest) -> tuple[Account, ...]:
    """Returns the customer's contracts of today."""
    return tuple(_build_account(request, product) for product in PRODUCTS)


def _build_account(request: DataRequest, product: Product) -> Account:
    rng = request.build_random("capital", product.kind)
    issued, _ = find_term(date(2018, rng.randrange(1, 13), product.day), product.months, request.today)
    number = f"{product.kind}{issued:%y%m}{draw_digits(rng, 6)}"
    amount = rng.randrange(*product.amounts) * product.unit
    rate = Decimal(rng.randrange(*product.rates)) / 10
    return Account(number, product, Loan(issued, product.months, amount, rate, product.method))


def _find_account(request: DataRequest, *, is_lease: bool) -> Account:
    account = find_asset(
        list_accounts(request), lambda account: account.account_num == request.params.get("account_num")
    )
    if account.is_lease != is_lease:
        raise ApiError(403, "40301", "계좌구분에 맞지 않는 API 호출")
    return account


def _list_assets(request: DataRequest) -> dict[str, Any]:
    rows = [
        {
            "account_num": account.account_num,
            "is_consent": True,
            "prod_name": account.product.name,
            "account_type": account.product.kind,
            "account_status": _ACTIVE,
        }
        for account in list_accounts(request)
    ]
    return {"reg_date": request.customer.since, "account_list": rows}


def _build_terms(request: DataRequest, account: Account) -> dict[str, Any]:
    bank, number = get_own_account(request)
    return {
        "issue_date": account.loan.issued,
        "exp_date": account.loan.expires,
        "repay_date": f"{account.product.day:02d}",
        "repay_method": account.loan.method,
        "repay_org_code": bank,
        "repay_account_num": number,
    }


def _get_basic(request: DataRequest) -> dict[str, Any]:
    account = _find_account(request, is_lease=False)
    return {**_build_terms(request, account), "last_offered_rate": account.loan.rate}


def _get_detail(request: DataRequest) -> dict[str, Any]:
    account = _find_account(request, is_lease=False)
    loan = account.loan
    settled = _list_settled(request, account)
    return {
        "balance_amt": settled[-1][0].balance if settled else loan.principal,
        "loan_principal": loan.principal,
        "next_repay_date": get_next_instalment(loan, get_yesterday(request)).due,
    }


def _list_transactions(request: DataRequest) -> dict[str, Any]:
    account = _find_account(request, is_lease=False)
    start, end = parse_day_window(request)
    rows = [
        _build_lending_row(account),
        *(
            _build_repayment_row(request, account, instalment, days)
            for instalment, days in _list_settled(request, account)
        ),
    ]
    return {"trans_list": [row for row in rows if start <= row["trans_dtime"].date() <= end][::-1]}


def _list_settled(request: DataRequest, account: Account) -> list[tuple[Instalment, int]]:
    """Returns the instalments paid by yesterday, each with its delay in days (mostly 0)."""
    settled = []
    for instalment in list_paid(account.loan, get_yesterday(request)):
        rng = request.build_random("delay", account.account_num, instalment.number)
        days = rng.randrange(1, 6) if rng.randrange(_LATE_ONE_IN) == 0 else 0
        if instalment.due + days * DAY <= get_yesterday(request):
            settled.append((instalment, days))
    return settled


def _build_lending_row(account: Account) -> dict[str, Any]:
    loan = account.loan
    return {
        "trans_dtime": to_datetime(loan.issued, 10, 30),
        "trans_no": f"{account.account_num}000",
        "trans_type": _LENT,
        "trans_amt": loan.principal,
        "balance_amt": loan.principal,
        "principal_amt": loan.principal,
        "int_amt": 0,
        "int_list": [],
    }


def _build_repayment_row(request: DataRequest, account: Account, instalment: Instalment, days: int) -> dict[str, Any]:
    rng = request.build_random("repayment", account.account_num, instalment.number)
    interests = [_build_interest_row(instalment, account.loan.rate)]
    if days:
        interests.append(_build_delay_row(instalment, account.loan.rate + _LATE_SURCHARGE, days))
    interest = sum(row["applied_int_amt"] for row in interests)
    return {
        "trans_dtime": draw_debit_time(rng, instalment.due + days * DAY),
        "trans_no": f"{account.account_num}{instalment.number:03d}",
        "trans_type": _PAID_BACK,
        "trans_amt": instalment.principal + interest,
        "balance_amt": instalment.balance,
        "principal_amt": instalment.principal,
        "int_amt": interest,
        "int_list": interests,
    }


def _build_interest_row(instalment: Instalment, rate: Decimal) -> dict[str, Any]:
    return {
        "int_start_date": instalment.since,
        "int_end_date": instalment.due - DAY,
        "int_rate": rate,
        "applied_int_amt": instalment.interest,
        "int_type": _IN_TIME,
    }


def _build_delay_row(instalment: Instalment, rate: Decimal, days: int) -> dict[str, Any]:
    return {
        "int_start_date": instalment.due,
        "int_end_date": instalment.due + (days - 1) * DAY,
        "int_rate": rate,
        "applied_int_amt": int(instalment.amount * rate * days / 36500),
        "int_type": _LATE,
    }


def _get_lease_basic(request: DataRequest) -> dict[str, Any]:
    account = _find_account(request, is_lease=True)
    return {
        **_build_terms(request, account),
        "next_repay_date": get_next_instalment(account.loan, get_yesterday(request)).due,
    }


def _list_lease_transactions(request: DataRequest) -> dict[str, Any]:
    account = _find_account(request, is_lease=True)
    start, end = parse_day_window(request)
    rows = [
        _build_rent_row(request, account, instalment)
        for instalment in list_paid(account.loan, end)
        if instalment.due >= start
    ]
    return {"trans_list": rows[::-1]}


def _build_rent_row(request: DataRequest, account: Account, instalment: Instalment) -> dict[str, Any]:
    return {
        "trans_dtime": draw_debit_time(
            request.build_random("rent", account.account_num, instalment.number), instalment.due
        ),
        "trans_no": f"{account.account_num}{instalment.number:03d}",
        "trans_type": _PAID_BACK,
        "trans_amt": account.loan.principal,
    }


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "할부금융-001": _list_assets,
    "할부금융-002": _get_basic,
    "할부금융-003": _get_detail,
    "할부금융-004": _list_transactions,
    "할부금융-005": _get_lease_basic,
    "할부금융-006": _list_lease_transactions,
}
