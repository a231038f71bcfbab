"""The bank accounts of the three customers."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, TypeVar, overload

from mydata_sandbox.world.lending.lending import Loan, Repayment
from mydata_sandbox.world.lookup import find_asset, get_owned
from mydata_sandbox.world.model import DataRequest


@dataclass(frozen=True, slots=True)
class SpendingPattern:
    """A kind of spending: its name, payees, amounts, and how many a day (each count is equally likely)."""

    name: str
    payees: tuple[str, ...]
    min_amount: int
    max_amount: int
    daily_counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CurrencyAccount:
    """The balance of one currency in an account: each month opens between `low` and `high`, in multiples of `step`.

    `salary` is paid on `payday` (0: no salary). Amounts are in the smallest unit of the currency, 1/`unit` of it.
    """

    currency: str
    low: int
    high: int
    step: int
    spending: tuple[SpendingPattern, ...]
    unit: int = 1
    salary: int = 0
    payday: int = 0


@dataclass(frozen=True, slots=True)
class DemandDeposit:
    """A demand deposit (자유입출식). With a `limit` its balance may be negative (마이너스통장)."""

    number: str
    product: str
    opened: date
    sub_accounts: tuple[CurrencyAccount, ...]
    rate: Decimal = Decimal("0.1")
    limit: int = 0
    limit_rate: Decimal = Decimal(0)
    seqno: str | None = None
    account_type: str = "1001"

    @property
    def is_foreign(self) -> bool:
        """Whether the account holds a currency other than won."""
        return any(sub_account.currency != "KRW" for sub_account in self.sub_accounts)


@dataclass(frozen=True, slots=True)
class TermDeposit:
    """A term deposit, paid in at once (예금) or monthly (적금), and renewed after each term. `months` 0: no end."""

    number: str
    product: str
    opened: date
    months: int
    account_type: str
    method: str
    amount: int
    rate: Decimal
    seqno: str | None = None


@dataclass(frozen=True, slots=True)
class Fund:
    """A fund or trust bought at the bank (투자상품): `amount` is paid once, or monthly when `paid_in` is 02."""

    number: str
    product: str
    opened: date
    account_type: str
    code: str
    paid_in: str
    amount: int
    price: int | None
    months: int = 0
    seqno: str | None = None


Account = DemandDeposit | TermDeposit | Fund | Loan
A = TypeVar("A", bound=Account)
B = TypeVar("B", bound=Account)

DAILY_SPENDING: Final = (
    SpendingPattern(
        "체크카드", ("가온마트", "다솜베이커리", "한빛서점", "누리약국", "미르주유소"), 2_400, 48_000, (0, 1, 1, 2, 3)
    ),
    SpendingPattern("카드결제", ("새벽커피", "들꽃분식", "하늘편의점"), 1_500, 14_000, (0, 0, 1, 1, 2)),
    SpendingPattern("자동이체", ("아라통신 요금", "도시가스", "아파트관리비"), 38_000, 210_000, (0,) * 9 + (1,)),
    SpendingPattern("ATM출금", ("현금",), 30_000, 100_000, (0,) * 11 + (1,)),
)
RARE_TRANSFERS: Final = (
    SpendingPattern("이체", ("모임 회비", "부모님 용돈", "경조사비"), 30_000, 300_000, (0,) * 9 + (1,)),
)
OVERSEAS_SPENDING: Final = (
    SpendingPattern("해외결제", ("ONLINE SHOP", "BOOK STORE", "TRAVEL"), 900, 12_000, (0,) * 14 + (1,)),
)


def build_won_account(
    low: int, high: int, spending: tuple[SpendingPattern, ...], salary: int = 0, payday: int = 0
) -> tuple[CurrencyAccount, ...]:
    """Returns the sub-account of an account in won."""
    return (CurrencyAccount("KRW", low, high, 10, spending, salary=salary, payday=payday),)


FOREIGN: Final = (
    CurrencyAccount("USD", 150_000, 900_000, 1, OVERSEAS_SPENDING, unit=100),
    CurrencyAccount("JPY", 20_000, 400_000, 100, OVERSEAS_SPENDING),
)

# 박다온 opened one deposit of three million won a month for a year. One of them matures every month (풍차돌리기).
MONTHLY_DEPOSITS: Final = tuple(
    TermDeposit(
        "3021104455667",
        "풍차 정기예금",
        date(2021, month, 11),
        12,
        "1002",
        "02",
        3_000_000,
        Decimal("3.15"),
        f"{month:07}",
    )
    for month in range(1, 13)
)

ACCOUNTS: Final[dict[int, tuple[Account, ...]]] = {
    1: (
        DemandDeposit(
            "1001150406001",
            "든든 급여통장",
            date(2015, 4, 6),
            build_won_account(2_400_000, 4_800_000, DAILY_SPENDING, 3_450_000, 25),
        ),
        DemandDeposit(
            "1001190312045",
            "직장인 마이너스통장",
            date(2019, 3, 12),
            build_won_account(-8_500_000, -3_200_000, RARE_TRANSFERS),
            limit=15_000_000,
            limit_rate=Decimal("5.47"),
        ),
        DemandDeposit("1001210517310", "여행자 외화통장", date(2021, 5, 17), FOREIGN, Decimal("0.35")),
        TermDeposit("1021220203118", "한아름 정기예금", date(2022, 2, 3), 12, "1002", "02", 20_000_000, Decimal("3.4")),
        TermDeposit(
            "1031230815227", "차곡차곡 적금", date(2023, 8, 15), 24, "1003", "03", 500_000, Decimal("3.9"), "0000001"
        ),
        TermDeposit(
            "1031240105332", "자유로운 적금", date(2024, 1, 5), 12, "1003", "04", 220_000, Decimal("3.3"), "0000001"
        ),
        TermDeposit("1039160718551", "주택청약종합저축", date(2016, 7, 18), 0, "1003", "03", 100_000, Decimal("2.8")),
        Fund("2001200921014", "푸른성장 주식형 펀드", date(2020, 9, 21), "2001", "KFND20092101", "02", 300_000, 1_031),
        Fund(
            "2002230410027", "안심 채권형 신탁", date(2023, 4, 10), "2002", "KTRT23041002", "03", 10_000_000, None, 36
        ),
        Loan(
            "3100220617003",
            "새출발 신용대출",
            date(2022, 6, 17),
            12,
            "3100",
            Repayment.BULLET,
            25_000_000,
            Decimal("5.12"),
            "1001150406001",
        ),
        Loan(
            "3220201120009",
            "보금 아파트담보대출",
            date(2020, 11, 20),
            360,
            "3220",
            Repayment.EQUAL_PAYMENT,
            280_000_000,
            Decimal("3.28"),
            "1001150406001",
        ),
    ),
    2: (
        DemandDeposit(
            "1002180917007",
            "첫월급 우대통장",
            date(2018, 9, 17),
            build_won_account(1_300_000, 2_900_000, DAILY_SPENDING, 2_780_000, 10),
        ),
        DemandDeposit(
            "1002220301052",
            "청년 마이너스통장",
            date(2022, 3, 1),
            build_won_account(-4_100_000, -600_000, RARE_TRANSFERS),
            limit=6_000_000,
            limit_rate=Decimal("6.02"),
        ),
        DemandDeposit("1002230711318", "모아 외화통장", date(2023, 7, 11), FOREIGN, Decimal("0.3")),
        TermDeposit("1022240119120", "반년 정기예금", date(2024, 1, 19), 6, "1002", "02", 5_000_000, Decimal("2.95")),
        TermDeposit(
            "1032220622233", "청년도약 적금", date(2022, 6, 22), 36, "1003", "03", 700_000, Decimal("4.5"), "0000001"
        ),
        TermDeposit("1039190304556", "주택청약종합저축", date(2019, 3, 4), 0, "1003", "03", 100_000, Decimal("2.8")),
        Fund("2001220808021", "샛별 인덱스 펀드", date(2022, 8, 8), "2001", "KFND22080802", "02", 150_000, 987),
        Fund(
            "2004230516033", "알아서 일임형 ISA", date(2023, 5, 16), "2004", "KISA23051603", "03", 4_000_000, None, 60
        ),
        Loan(
            "3170230228004",
            "청년 전세자금대출",
            date(2023, 2, 28),
            24,
            "3170",
            Repayment.BULLET,
            90_000_000,
            Decimal("3.05"),
            "1002180917007",
        ),
    ),
    3: (
        DemandDeposit(
            "1003090121002",
            "오랜친구 통장",
            date(2009, 1, 21),
            build_won_account(3_900_000, 7_700_000, DAILY_SPENDING, 5_120_000, 21),
        ),
        DemandDeposit(
            "1003170908061",
            "플러스 마이너스통장",
            date(2017, 9, 8),
            build_won_account(-21_000_000, -6_000_000, RARE_TRANSFERS),
            limit=40_000_000,
            limit_rate=Decimal("4.98"),
        ),
        DemandDeposit("1003160425325", "글로벌 외화통장", date(2016, 4, 25), FOREIGN, Decimal("0.4")),
        *MONTHLY_DEPOSITS,
        TermDeposit(
            "1033230220241",
            "목돈만들기 적금",
            date(2023, 2, 20),
            12,
            "1003",
            "03",
            1_000_000,
            Decimal("3.6"),
            "0000001",
        ),
        TermDeposit(
            "1033240507246", "자유로운 적금", date(2024, 5, 7), 24, "1003", "04", 400_000, Decimal("3.4"), "0000001"
        ),
        TermDeposit("1039090121559", "주택청약종합저축", date(2009, 1, 21), 0, "1003", "03", 100_000, Decimal("2.8")),
        Fund("2001180319031", "온누리 배당주 펀드", date(2018, 3, 19), "2001", "KFND18031903", "02", 500_000, 1_112),
        Fund(
            "2001211206038", "가치투자 혼합형 펀드", date(2021, 12, 6), "2001", "KFND21120603", "03", 15_000_000, 1_004
        ),
        Fund("2002220705040", "노후보장 신탁", date(2022, 7, 5), "2002", "KTRT22070504", "03", 30_000_000, None, 60),
        Fund(
            "2003210614044",
            "골라담는 신탁형 ISA",
            date(2021, 6, 14),
            "2003",
            "KISA21061404",
            "03",
            20_000_000,
            None,
            60,
        ),
        Loan(
            "3220180515012",
            "보금 아파트담보대출",
            date(2018, 5, 15),
            240,
            "3220",
            Repayment.EQUAL_PRINCIPAL,
            180_000_000,
            Decimal("3.61"),
            "1003090121002",
        ),
        Loan(
            "3230221017015",
            "상가 담보대출",
            date(2022, 10, 17),
            12,
            "3230",
            Repayment.BULLET,
            120_000_000,
            Decimal("4.87"),
            None,
        ),
    ),
}


def list_accounts(request: DataRequest) -> tuple[Account, ...]:
    """Returns the customer's accounts by type, number and round (회차), in the order of 은행-001."""
    opened = (account for account in get_owned(ACCOUNTS, request) if account.opened <= request.today)
    return tuple(sorted(opened, key=lambda account: (account.account_type, account.number, account.seqno or "")))


@overload
def find_account(request: DataRequest, kind: type[A]) -> A: ...


@overload
def find_account(request: DataRequest, kind: type[A], other: type[B]) -> A | B: ...


def find_account(request: DataRequest, kind: type[Any], other: type[Any] | None = None) -> Any:
    """Returns the account of class `kind` or `other` with the requested number and round (회차)."""
    key = (request.params.get("account_num"), request.params.get("seqno"))
    candidates = tuple(account for account in list_accounts(request) if isinstance(account, (kind, other or kind)))
    return find_asset(candidates, lambda account: (account.number, account.seqno) == key)
