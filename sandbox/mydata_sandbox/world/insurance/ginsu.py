"""Guarantee insurance (보증보험, 규격 4.2.8), with a single premium or with premiums in parts."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from mydata_sandbox.world.counterparties import draw_digits
from mydata_sandbox.world.days import add_months, find_term
from mydata_sandbox.world.lookup import find_asset
from mydata_sandbox.world.model import DataHandler, DataRequest
from mydata_sandbox.world.months import YEAR, parse_day_window

_GUARANTEE: Final = "20"
_IN_FORCE: Final = "01"
_AT_ONCE: Final = "01"
_IN_PARTS: Final = "02"
_PAY_METHODS: Final = ("01", "02", "03", "04")


@dataclass(frozen=True, slots=True)
class Product:
    """A guarantee of `months`. Its premium is `per_mille` of the sum insured, paid every `interval` months."""

    name: str
    months: int
    interval: int
    sums: tuple[int, int]
    per_mille: int
    insured: tuple[str, ...]

    @property
    def parts(self) -> int:
        """The number of premiums."""
        return self.months // self.interval


PRODUCTS: Final = (
    Product("든든 전세금반환보증보험", 24, 24, (80, 320), 3, ("최*수",)),
    Product("든든 신원보증보험", 36, YEAR, (20, 60), 6, ("주식회사 나*", "한*주")),
    Product("든든 이행(하자)보증보험", 24, 6, (10, 90), 8, ("정*라",)),
)
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Contract:
    """A customer's contract."""

    insu_num: str
    product: Product
    issued: date
    face: int

    @property
    def premium(self) -> int:
        """One part of the premium, in won."""
        return self.face * self.product.per_mille // 1000 // self.product.parts


def list_contracts(request: DataRequest) -> tuple[Contract, ...]:
    """Returns the customer's contracts in force today."""
    return tuple(_build_contract(request, number, product) for number, product in enumerate(PRODUCTS, 1))


def _build_contract(request: DataRequest, number: int, product: Product) -> Contract:
    rng = request.build_random("guarantee", number)
    issued, _ = find_term(date(2018, rng.randrange(1, 13), rng.randrange(1, 29)), product.months, request.today)
    return Contract(
        f"{number}00{issued:%Y%m}{draw_digits(rng, 9)}", product, issued, rng.randrange(*product.sums) * _MILLION
    )


def _find_contract(request: DataRequest) -> Contract:
    return find_asset(list_contracts(request), lambda contract: contract.insu_num == request.params.get("insu_num"))


def _list_assets(request: DataRequest) -> dict[str, Any]:
    rows = [
        {
            "insu_num": contract.insu_num,
            "is_consent": True,
            "prod_name": contract.product.name,
            "insu_type": _GUARANTEE,
            "insu_status": _IN_FORCE,
        }
        for contract in list_contracts(request)
    ]
    return {"insu_list": rows}


def _get_basic(request: DataRequest) -> dict[str, Any]:
    contract = _find_contract(request)
    return {
        "issue_date": contract.issued,
        "exp_date": add_months(contract.issued, contract.product.months),
        "face_amt": contract.face,
        "insured_list": [{"insured_name": name} for name in contract.product.insured],
        "pay_due": _AT_ONCE if contract.product.parts == 1 else _IN_PARTS,
        "pay_amt": contract.premium * contract.product.parts,
    }


def _list_transactions(request: DataRequest) -> dict[str, Any]:
    contract = _find_contract(request)
    start, end = parse_day_window(request)
    rows = [_build_premium_row(request, contract, number) for number in range(1, contract.product.parts + 1)]
    return {"trans_list": [row for row in rows if start <= row["trans_date"] <= end][::-1]}


def _build_premium_row(request: DataRequest, contract: Contract, number: int) -> dict[str, Any]:
    rng = request.build_random("premium", contract.insu_num, number)
    return {
        "trans_date": add_months(contract.issued, (number - 1) * contract.product.interval),
        "paid_in_cnt": number,
        "paid_amt": contract.premium,
        "pay_method": rng.choice(_PAY_METHODS),
    }


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "보증보험-001": _list_assets,
    "보증보험-002": _get_basic,
    "보증보험-003": _list_transactions,
}
