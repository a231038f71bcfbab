"""Individual retirement pensions (개인형 IRP), kept by banks, brokers and insurers alike (IRP-001..004)."""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from relay.sandbox.world.days import at, month_later, months_passed, newest_first, term_of, window
from relay.sandbox.world.market import price_on
from relay.sandbox.world.model import Ask, Story
from relay.sandbox.world.owned import owned, the_one

GUARANTEED, AT_RISK, OTHER = "01", "02", "03"
PENSION_AGE_MONTHS: Final = 55 * 12
FEE_PER_MILLE: Final = 2
UNITS_PRICED: Final = 1000
PAID_AT, FEE_AT = 8 * 3600, 20 * 3600


@dataclass(frozen=True, slots=True)
class Plan:
    """An IRP account: `severance` moved in on the first day (사용자부담금), `monthly` paid in by its owner."""

    tail: str
    opened: date
    severance: int
    monthly: int
    products: int


@dataclass(frozen=True, slots=True)
class Product:
    """What a plan invests in: deposits by `rate` and term of `months`, funds by the `price` of a thousand units."""

    name: str
    kind: str
    rate: Decimal = Decimal(0)
    months: int = 12
    price: int = 0


@dataclass(frozen=True, slots=True)
class Contribution:
    """Money in (01) or out (02) of a plan."""

    day: date
    seconds: int
    kind: str
    amount: int
    number: str


HOUSES: Final = {"bank": ("7001", "든든"), "invest": ("7002", "푸른증권"), "insu": ("7003", "온생명")}
"""Where a plan is kept: how its account numbers begin and how its name does."""

PLANS: Final[dict[int, tuple[Plan, ...]]] = {
    1: (Plan("190805011", date(2019, 8, 5), 32_400_000, 300_000, 6),),
    2: (Plan("220411024", date(2022, 4, 11), 8_150_000, 150_000, 5),),
    3: (
        Plan("170626037", date(2017, 6, 26), 96_700_000, 500_000, 26),
        Plan("231002048", date(2023, 10, 2), 41_000_000, 200_000, 7),
    ),
}

WAITING: Final = Product("현금성자산", OTHER)
DEPOSITS: Final = (
    Product("IRP 정기예금 1년", GUARANTEED, Decimal("3.15"), 12),
    Product("IRP 정기예금 3년", GUARANTEED, Decimal("3.42"), 36),
    Product("이율보증형 보험 2년", GUARANTEED, Decimal("3.36"), 24),
)
FUNDS: Final = tuple(
    Product(f"{house} {what}", AT_RISK, price=price)
    for house, price in (("한울", 1_020), ("새솔", 980), ("마루", 1_110), ("가온", 1_045))
    for what in (
        "국내주식 인덱스 펀드",
        "글로벌 채권 펀드",
        "은퇴시점 2045 펀드",
        "배당성장 펀드",
        "물가연동 채권 펀드",
        "선진국 주식 펀드",
    )
)
SHELF: Final = (WAITING, *DEPOSITS, *FUNDS)


def account_list(ask: Ask) -> dict[str, Any]:
    """IRP-001: the plans kept here."""
    _, name = HOUSES[ask.industry]
    listed = [
        {"prod_name": f"{name} 개인형 IRP", "account_num": _number(ask, plan), "is_consent": True}
        for plan in _plans(ask)
    ]
    return {"irp_list": listed}


def basics(ask: Ask) -> dict[str, Any]:
    """IRP-002: what was paid in by whom, and what it is worth."""
    plan = _asked(ask)
    paid = _contributions(plan, ask.today)
    return {
        "accum_amt": _accumulated(plan, ask.today),
        "eval_amt": sum(row["eval_amt"] for row in _holdings(ask, plan)),
        "employer_amt": plan.severance,
        "employee_amt": sum(move.amount for move in paid if move.kind == "01") - plan.severance,
        "issue_date": plan.opened,
        "first_deposit_date": plan.opened,
        "reg_date": plan.opened,
        "rcv_start_date": month_later(ask.customer.born, PENSION_AGE_MONTHS),
    }


def details(ask: Ask) -> dict[str, Any]:
    """IRP-003: the products held, the latest first; waiting money was never bought and stands last."""
    rows = _holdings(ask, _asked(ask))
    return {"irp_list": sorted(rows, key=lambda row: row["open_date"] or date.min, reverse=True)}


def transactions(ask: Ask) -> dict[str, Any]:
    """IRP-004: contributions and the yearly fee."""
    _, last = window(ask)
    rows = [
        {
            "trans_dtime": at(move.day, move.seconds),
            "trans_no": move.number,
            "trans_type": move.kind,
            "trans_amt": move.amount,
        }
        for move in _contributions(_asked(ask), last)
    ]
    return {"trans_list": newest_first(ask, rows)}


def _plans(ask: Ask) -> tuple[Plan, ...]:
    return tuple(plan for plan in owned(PLANS, ask) if plan.opened <= ask.today)


def _number(ask: Ask, plan: Plan) -> str:
    return HOUSES[ask.industry][0] + plan.tail


def _asked(ask: Ask) -> Plan:
    return the_one(_plans(ask), lambda plan: _number(ask, plan) == ask.params.get("account_num"))


def _contributions(plan: Plan, until: date) -> list[Contribution]:
    """Severance on the first day, then the monthly contribution; each year after a fee of what was paid in."""
    told = [Contribution(plan.opened, PAID_AT, "01", plan.severance, "00000")]
    paid = plan.severance
    for turn in range(1, months_passed(plan.opened, until) + 1):
        day = month_later(plan.opened, turn)
        told.append(Contribution(day, PAID_AT, "01", plan.monthly, f"{turn:04}1"))
        paid += plan.monthly
        if turn % 12 == 0:
            told.append(Contribution(day, FEE_AT, "02", paid * FEE_PER_MILLE // 1000, f"{turn:04}2"))
    return told


def _accumulated(plan: Plan, day: date) -> int:
    return sum(move.amount if move.kind == "01" else -move.amount for move in _contributions(plan, day))


def _holdings(ask: Ask, plan: Plan) -> list[dict[str, Any]]:
    """The money paid in, divided among the plan's products by weights drawn once for ever; the rest waits as cash."""
    fate = ask.dice("irp", plan.tail)
    bought = (*DEPOSITS, *fate.sample(FUNDS, plan.products - 1 - len(DEPOSITS)))
    weights = [fate.randrange(2, 9) for _ in bought]
    total = _accumulated(plan, ask.today)
    parts = [total * 95 * weight // (sum(weights) * 100) for weight in weights]
    rows = [
        _holding(plan, index, product, part, ask.today)
        for index, (product, part) in enumerate(zip(bought, parts, strict=True))
    ]
    return [*rows, _cash(total - sum(parts))]


def _cash(amount: int) -> dict[str, Any]:
    return {
        "irp_name": WAITING.name,
        "irp_no": None,
        "irp_type": OTHER,
        "eval_amt": amount,
        "inv_principal": amount,
        "fund_num": amount,
        "open_date": None,
    }


def _holding(plan: Plan, index: int, product: Product, principal: int, today: date) -> dict[str, Any]:
    row = {
        "irp_name": product.name,
        "irp_no": f"{plan.tail}{index:03}",
        "irp_type": product.kind,
        "inv_principal": principal,
    }
    if product.kind == GUARANTEED:
        start, end = term_of(plan.opened, product.months, today)
        grown = principal * (1 + product.rate * (today - start).days / 36500)
        return row | {
            "eval_amt": grown.quantize(Decimal(1), ROUND_DOWN),
            "open_date": start,
            "exp_date": end,
            "int_rate": product.rate,
        }
    # One fund after the other was added to the plan, every other day from its first on.
    opened = min(date.fromordinal(plan.opened.toordinal() + 2 * index), today)
    units = (principal * UNITS_PRICED / price_on(product.name, product.price, opened)).quantize(Decimal(1), ROUND_DOWN)
    worth = units * price_on(product.name, product.price, today) / UNITS_PRICED
    return row | {"eval_amt": worth.quantize(Decimal(1), ROUND_DOWN), "fund_num": units, "open_date": opened}


STORIES: Final[dict[str, Story]] = {
    "IRP-001": account_list,
    "IRP-002": basics,
    "IRP-003": details,
    "IRP-004": transactions,
}
