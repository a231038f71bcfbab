"""Guarantee insurance (보증보험, 규격 4.2.8): promises to a landlord and to an employer, paid at once or in parts."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from relay.sandbox.world.days import month_later, term_of
from relay.sandbox.world.model import Ask, Story
from relay.sandbox.world.months import YEAR, day_window
from relay.sandbox.world.owned import the_one
from relay.sandbox.world.street import digits

_GUARANTEE: Final = "20"
_IN_FORCE: Final = "01"
_AT_ONCE: Final = "01"
_IN_PARTS: Final = "02"
_PAY_METHODS: Final = ("01", "02", "03", "04")


@dataclass(frozen=True, slots=True)
class Product:
    """A guarantee of `months`; its premium is `per_mille` of the sum insured, paid every `every` months."""

    name: str
    months: int
    every: int
    sums: tuple[int, int]
    per_mille: int
    insured: tuple[str, ...]

    @property
    def parts(self) -> int:
        """How many premiums there are in all."""
        return self.months // self.every


PRODUCTS: Final = (
    Product("든든 전세금반환보증보험", 24, 24, (80, 320), 3, ("최*수",)),
    Product("든든 신원보증보험", 36, YEAR, (20, 60), 6, ("주식회사 나*", "한*주")),
    Product("든든 이행(하자)보증보험", 24, 6, (10, 90), 8, ("정*라",)),
)
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Contract:
    """A customer's guarantee."""

    insu_num: str
    product: Product
    issued: date
    face: int

    @property
    def premium(self) -> int:
        """One part of the premium."""
        return self.face * self.product.per_mille // 1000 // self.product.parts


def contracts(ask: Ask) -> tuple[Contract, ...]:
    """The customer's guarantees in force today."""
    return tuple(_contract(ask, number, product) for number, product in enumerate(PRODUCTS, 1))


def _contract(ask: Ask, number: int, product: Product) -> Contract:
    dice = ask.dice("guarantee", number)
    issued, _ = term_of(date(2018, dice.randrange(1, 13), dice.randrange(1, 29)), product.months, ask.today)
    return Contract(
        f"{number}00{issued:%Y%m}{digits(dice, 9)}", product, issued, dice.randrange(*product.sums) * _MILLION
    )


def _asked(ask: Ask) -> Contract:
    return the_one(contracts(ask), lambda contract: contract.insu_num == ask.params.get("insu_num"))


def _list(ask: Ask) -> dict[str, Any]:
    rows = [
        {
            "insu_num": contract.insu_num,
            "is_consent": True,
            "prod_name": contract.product.name,
            "insu_type": _GUARANTEE,
            "insu_status": _IN_FORCE,
        }
        for contract in contracts(ask)
    ]
    return {"insu_list": rows}


def _basic(ask: Ask) -> dict[str, Any]:
    contract = _asked(ask)
    return {
        "issue_date": contract.issued,
        "exp_date": month_later(contract.issued, contract.product.months),
        "face_amt": contract.face,
        "insured_list": [{"insured_name": name} for name in contract.product.insured],
        "pay_due": _AT_ONCE if contract.product.parts == 1 else _IN_PARTS,
        "pay_amt": contract.premium * contract.product.parts,
    }


def _transactions(ask: Ask) -> dict[str, Any]:
    contract = _asked(ask)
    start, end = day_window(ask)
    rows = [_premium(ask, contract, number) for number in range(1, contract.product.parts + 1)]
    return {"trans_list": [row for row in rows if start <= row["trans_date"] <= end][::-1]}


def _premium(ask: Ask, contract: Contract, number: int) -> dict[str, Any]:
    dice = ask.dice("premium", contract.insu_num, number)
    return {
        "trans_date": month_later(contract.issued, (number - 1) * contract.product.every),
        "paid_in_cnt": number,
        "paid_amt": contract.premium,
        "pay_method": dice.choice(_PAY_METHODS),
    }


STORIES: Final[dict[str, Story]] = {
    "보증보험-001": _list,
    "보증보험-002": _basic,
    "보증보험-003": _transactions,
}
