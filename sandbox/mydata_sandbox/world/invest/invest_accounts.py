"""The accounts at the broker, and the securities that each of them trades."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from mydata_sandbox.world.lookup import find_asset, get_owned
from mydata_sandbox.world.model import DataRequest

CASH_BOUGHT, LENT_AGAINST = "01", "03"
WON, CENT, FIFTY_WON, UNIT_PRICE = Decimal(1), Decimal("0.01"), Decimal(50), Decimal("0.001")
PENSION: Final = "105"


@dataclass(frozen=True, slots=True)
class Security:
    """A security: its `kind` (상품종류), base price, tick size and exchange."""

    code: str
    name: str
    kind: str
    detail: str
    base: int
    tick: Decimal
    exchange: str | None = None
    position: str | None = None
    credit: str = CASH_BOUGHT


@dataclass(frozen=True, slots=True)
class CurrencyAccount:
    """The cash of one currency and the securities bought with it.

    `buys` and `sells` are the trades a month. If more than `max_cash` is left at the end of a month,
    `monthly_deposit` is withdrawn.
    """

    currency: str
    securities: tuple[Security, ...]
    initial_deposit: int
    monthly_deposit: int
    buys: int
    sells: int
    max_cash: int


@dataclass(frozen=True, slots=True)
class Account:
    """An account at the broker. `mortgage` is lent against its securities (예탁증권담보대출)."""

    number: str
    name: str
    kind: str
    opened: date
    sub_accounts: tuple[CurrencyAccount, ...]
    is_tax_favoured: bool = False
    mortgage: int = 0


def _build_stock(code: str, name: str, base: int) -> Security:
    return Security(f"KR7{code}", name, "401", "보통주", base, FIFTY_WON)


def _build_foreign_stock(code: str, name: str, base: int, exchange: str) -> Security:
    return Security(code, name, "402", "보통주", base, CENT, exchange)


def _build_fund(code: str, name: str, kind: str = "413") -> Security:
    return Security(f"KF{code}", name, kind, "공모펀드", 1, UNIT_PRICE)


STOCKS: Final = tuple(
    _build_stock(f"9{index:03}00000", name, base)
    for index, (name, base) in enumerate(
        (
            ("가온전자", 61_000),
            ("나래자동차", 148_000),
            ("다솔화학", 83_500),
            ("라온소프트", 42_300),
            ("마루건설", 18_750),
            ("바다해운", 9_450),
            ("새빛반도체", 127_000),
            ("아람바이오", 54_800),
            ("자람식품", 31_200),
            ("찬솔에너지", 22_900),
            ("큰들금융지주", 47_600),
            ("터전리츠", 5_350),
            ("푸른통신", 36_100),
            ("한결조선", 71_400),
            ("겨레항공", 24_650),
            ("노을엔터", 66_200),
            ("도담교육", 12_850),
            ("미리내우주", 89_900),
            ("보람보험", 58_300),
            ("소담유통", 15_400),
            ("온새미로제지", 7_820),
            ("이든로봇", 104_500),
            ("초롱디스플레이", 19_300),
            ("해오름철강", 38_700),
        )
    )
)
ABROAD: Final = (
    _build_foreign_stock("XGRN", "Xylo Green Energy", 84, "101"),
    _build_foreign_stock("QLMT", "Quillmont Devices", 192, "101"),
    _build_foreign_stock("BRWK", "Bramwick Holdings", 311, "100"),
    _build_foreign_stock("ZPTH", "Zephath Therapeutics", 37, "102"),
)
FUNDS: Final = (
    _build_fund("2019031501", "한울 코리아 성장 펀드"),
    _build_fund("2019112202", "새솔 배당 인컴 펀드"),
    _build_fund("2020070803", "가온 미국지수 펀드", "414"),
    _build_fund("2021012504", "마루 은퇴시점 2050 펀드"),
)
BONDS: Final = (
    Security("KR6900010A11", "푸른도시공사 32", "403", "특수채", 10_000, WON),
    Security("KR6900020B25", "가온전자 14-2", "403", "회사채", 10_000, WON),
)
FUTURES: Final = (
    Security("KR4901V30007", "코리아지수 선물", "408", "지수선물", 335_000, FIFTY_WON, position="01"),
    Security("KR4901V40006", "코리아지수 옵션", "408", "지수옵션", 21_000, FIFTY_WON, position="02"),
)
NOTE: Final = Security("KRCP90010007", "발행어음 약정형", "411", "발행어음", 10_000, WON)
PLEDGED: Final = Security("KR7990011003", "든든지주", "401", "보통주", 52_000, FIFTY_WON, credit=LENT_AGAINST)


def _build_won_account(
    securities: tuple[Security, ...], initial_deposit: int, monthly_deposit: int, buys: int, sells: int
) -> CurrencyAccount:
    return CurrencyAccount("KRW", securities, initial_deposit, monthly_deposit, buys, sells, 4 * monthly_deposit)


def _build_dollar_account(initial_deposit: int, monthly_deposit: int) -> CurrencyAccount:
    return CurrencyAccount("USD", ABROAD, initial_deposit, monthly_deposit, 3, 2, 4 * monthly_deposit)


ACCOUNTS: Final[dict[int, tuple[Account, ...]]] = {
    1: (
        Account(
            "60120180312001",
            "종합매매",
            "101",
            date(2018, 3, 12),
            (_build_won_account(STOCKS, 24_000_000, 900_000, 9, 8), _build_dollar_account(9_000, 400)),
        ),
        Account(
            "60520160905002",
            "연금저축",
            PENSION,
            date(2016, 9, 5),
            (_build_won_account(FUNDS[:2], 400_000, 400_000, 2, 0),),
            True,
        ),
        Account(
            "60820210406003",
            "중개형 ISA",
            "108",
            date(2021, 4, 6),
            (_build_won_account(STOCKS[:6], 5_000_000, 500_000, 3, 1),),
            True,
        ),
    ),
    2: (
        Account(
            "60220200507011",
            "위탁",
            "102",
            date(2020, 5, 7),
            (_build_won_account(STOCKS[4:12], 3_000_000, 300_000, 4, 3), _build_dollar_account(1_200, 150)),
        ),
        Account(
            "60720220802012",
            "펀드",
            "107",
            date(2022, 8, 2),
            (_build_won_account(FUNDS[1:], 1_000_000, 200_000, 2, 0),),
        ),
        Account(
            "60520190110013",
            "연금저축",
            PENSION,
            date(2019, 1, 10),
            (_build_won_account(FUNDS[3:], 200_000, 200_000, 1, 0),),
            True,
        ),
    ),
    3: (
        Account(
            "60120190211021",
            "종합매매",
            "101",
            date(2019, 2, 11),
            (
                _build_won_account((*STOCKS[:12], PLEDGED, *BONDS), 60_000_000, 2_500_000, 8, 7),
                _build_dollar_account(20_000, 700),
            ),
            mortgage=8_000_000,
        ),
        Account(
            "60320220103022",
            "파생상품",
            "103",
            date(2022, 1, 3),
            (_build_won_account(FUTURES, 6_000_000, 1_000_000, 2, 2),),
        ),
        Account(
            "60420230904023",
            "단기금융상품",
            "104",
            date(2023, 9, 4),
            (_build_won_account((NOTE,), 3_000_000, 500_000, 1, 1),),
        ),
        Account(
            "60520130607024",
            "연금저축",
            PENSION,
            date(2013, 6, 7),
            (_build_won_account(FUNDS, 1_500_000, 600_000, 3, 0),),
            True,
        ),
    ),
}


def list_accounts(request: DataRequest) -> tuple[Account, ...]:
    """Returns the customer's accounts by kind, in the order of 금투-001."""
    opened = (account for account in get_owned(ACCOUNTS, request) if account.opened <= request.today)
    return tuple(sorted(opened, key=lambda account: (account.kind, account.number)))


def find_account(request: DataRequest, kind: str | None = None) -> Account:
    """Returns the requested account; it must be of `kind` unless that is None."""
    number = request.params.get("account_num")
    return find_asset(list_accounts(request), lambda account: account.number == number and kind in (None, account.kind))
