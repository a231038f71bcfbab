"""Individual retirement pensions (개인형 IRP) at banks, brokers and insurers (IRP-001..004)."""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from mydata_sandbox.world.days import (
    add_months,
    add_seconds,
    count_months,
    find_term,
    parse_window,
    select_newest_first,
)
from mydata_sandbox.world.invest.prices import get_price
from mydata_sandbox.world.lookup import find_asset, get_owned
from mydata_sandbox.world.model import DataHandler, DataRequest

GUARANTEED, AT_RISK, OTHER = "01", "02", "03"
PENSION_AGE_MONTHS: Final = 55 * 12
FEE_PER_MILLE: Final = 2
UNITS_PER_PRICE: Final = 1000
PAID_AT, FEE_AT = 8 * 3600, 20 * 3600


@dataclass(frozen=True, slots=True)
class Plan:
    """An IRP account: `severance` is paid in on the first day (사용자부담금), `monthly` by the customer."""

    number: str
    opened: date
    severance: int
    monthly: int
    products: int


@dataclass(frozen=True, slots=True)
class Product:
    """An investment of a plan: deposits have `rate` and `months`, funds the `price` of a thousand units."""

    name: str
    kind: str
    rate: Decimal = Decimal(0)
    months: int = 12
    price: int = 0


@dataclass(frozen=True, slots=True)
class Contribution:
    """A payment into (01) or out of (02) a plan."""

    day: date
    seconds: int
    kind: str
    amount: int
    number: str


COMPANIES: Final = {"bank": ("7001", "든든"), "invest": ("7002", "푸른증권"), "insu": ("7003", "온생명")}
"""Prefixes of account numbers and product names by industry."""

PLANS: Final[dict[int, tuple[Plan, ...]]] = {
    1: (Plan("190805011", date(2019, 8, 5), 32_400_000, 300_000, 6),),
    2: (Plan("220411024", date(2022, 4, 11), 8_150_000, 150_000, 5),),
    3: (
        Plan("170626037", date(2017, 6, 26), 96_700_000, 500_000, 26),
        Plan("231002048", date(2023, 10, 2), 41_000_000, 200_000, 7),
    ),
}

CASH: Final = Product("현금성자산", OTHER)
DEPOSITS: Final = (
    Product("IRP 정기예금 1년", GUARANTEED, Decimal("3.15"), 12),
    Product("IRP 정기예금 3년", GUARANTEED, Decimal("3.42"), 36),
    Product("이율보증형 보험 2년", GUARANTEED, Decimal("3.36"), 24),
)
FUNDS: Final = tuple(
    Product(f"{company} {product_name}", AT_RISK, price=price)
    for company, price in (("한울", 1_020), ("새솔", 980), ("마루", 1_110), ("가온", 1_045))
    for product_name in (
        "국내주식 인덱스 펀드",
        "글로벌 채권 펀드",
        "은퇴시점 2045 펀드",
        "배당성장 펀드",
        "물가연동 채권 펀드",
        "선진국 주식 펀드",
    )
)
PRODUCTS: Final = (CASH, *DEPOSITS, *FUNDS)


def list_account_rows(request: DataRequest) -> dict[str, Any]:
    """Returns IRP-001: the plans at this institution."""
    _, name = COMPANIES[request.industry]
    rows = [
        {"prod_name": f"{name} 개인형 IRP", "account_num": _build_number(request, plan), "is_consent": True}
        for plan in _list_plans(request)
    ]
    return {"irp_list": rows}


def get_basics(request: DataRequest) -> dict[str, Any]:
    """Returns IRP-002: contributions of employer and customer, and the value of the plan."""
    plan = _find_plan(request)
    paid_in = _list_contributions(plan, request.today)
    return {
        "accum_amt": _compute_accumulated(plan, request.today),
        "eval_amt": sum(row["eval_amt"] for row in _build_holdings(request, plan)),
        "employer_amt": plan.severance,
        "employee_amt": sum(contribution.amount for contribution in paid_in if contribution.kind == "01")
        - plan.severance,
        "issue_date": plan.opened,
        "first_deposit_date": plan.opened,
        "reg_date": plan.opened,
        "rcv_start_date": add_months(request.customer.born, PENSION_AGE_MONTHS),
    }


def get_details(request: DataRequest) -> dict[str, Any]:
    """Returns IRP-003: the products held, the latest first. Cash has no opening date and comes last."""
    rows = _build_holdings(request, _find_plan(request))
    return {"irp_list": sorted(rows, key=lambda row: row["open_date"] or date.min, reverse=True)}


def list_transactions(request: DataRequest) -> dict[str, Any]:
    """Returns IRP-004: contributions and yearly fees."""
    _, last = parse_window(request)
    rows = [
        {
            "trans_dtime": add_seconds(contribution.day, contribution.seconds),
            "trans_no": contribution.number,
            "trans_type": contribution.kind,
            "trans_amt": contribution.amount,
        }
        for contribution in _list_contributions(_find_plan(request), last)
    ]
    return {"trans_list": select_newest_first(request, rows)}


def _list_plans(request: DataRequest) -> tuple[Plan, ...]:
    return tuple(plan for plan in get_owned(PLANS, request) if plan.opened <= request.today)


def _build_number(request: DataRequest, plan: Plan) -> str:
    return COMPANIES[request.industry][0] + plan.number


def _find_plan(request: DataRequest) -> Plan:
    return find_asset(
        _list_plans(request), lambda plan: _build_number(request, plan) == request.params.get("account_num")
    )


def _list_contributions(plan: Plan, until: date) -> list[Contribution]:
    """Returns severance, monthly contributions, and a yearly fee on the sum of contributions."""
    contributions = [Contribution(plan.opened, PAID_AT, "01", plan.severance, "00000")]
    paid_in = plan.severance
    for number in range(1, count_months(plan.opened, until) + 1):
        day = add_months(plan.opened, number)
        contributions.append(Contribution(day, PAID_AT, "01", plan.monthly, f"{number:04}1"))
        paid_in += plan.monthly
        if number % 12 == 0:
            contributions.append(Contribution(day, FEE_AT, "02", paid_in * FEE_PER_MILLE // 1000, f"{number:04}2"))
    return contributions


def _compute_accumulated(plan: Plan, day: date) -> int:
    return sum(
        contribution.amount if contribution.kind == "01" else -contribution.amount
        for contribution in _list_contributions(plan, day)
    )


def _build_holdings(request: DataRequest, plan: Plan) -> list[dict[str, Any]]:
    """Returns the accumulated money divided among the plan's products by fixed random weights; the rest is cash."""
    rng = request.build_random("irp", plan.number)
    products = (*DEPOSITS, *rng.sample(FUNDS, plan.products - 1 - len(DEPOSITS)))
    weights = [rng.randrange(2, 9) for _ in products]
    total = _compute_accumulated(plan, request.today)
    parts = [total * 95 * weight // (sum(weights) * 100) for weight in weights]
    rows = [
        _build_holding_row(plan, index, product, part, request.today)
        for index, (product, part) in enumerate(zip(products, parts, strict=True))
    ]
    return [*rows, _build_cash_row(total - sum(parts))]


def _build_cash_row(amount: int) -> dict[str, Any]:
    return {
        "irp_name": CASH.name,
        "irp_no": None,
        "irp_type": OTHER,
        "eval_amt": amount,
        "inv_principal": amount,
        "fund_num": amount,
        "open_date": None,
    }


def _build_holding_row(plan: Plan, index: int, product: Product, principal: int, today: date) -> dict[str, Any]:
    row = {
        "irp_name": product.name,
        "irp_no": f"{plan.number}{index:03}",
        "irp_type": product.kind,
        "inv_principal": principal,
    }
    if product.kind == GUARANTEED:
        start, end = find_term(plan.opened, product.months, today)
        value = principal * (1 + product.rate * (today - start).days / 36500)
        return row | {
            "eval_amt": value.quantize(Decimal(1), ROUND_DOWN),
            "open_date": start,
            "exp_date": end,
            "int_rate": product.rate,
        }
    # The funds were added one by one, every second day from the first day of the plan.
    opened = min(date.fromordinal(plan.opened.toordinal() + 2 * index), today)
    units = (principal * UNITS_PER_PRICE / get_price(product.name, product.price, opened)).quantize(
        Decimal(1), ROUND_DOWN
    )
    value = units * get_price(product.name, product.price, today) / UNITS_PER_PRICE
    return row | {"eval_amt": value.quantize(Decimal(1), ROUND_DOWN), "fund_num": units, "open_date": opened}


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "IRP-001": list_account_rows,
    "IRP-002": get_basics,
    "IRP-003": get_details,
    "IRP-004": list_transactions,
}
