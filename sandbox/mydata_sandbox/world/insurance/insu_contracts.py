"""Insurance contracts: policies, riders, cars; and the riders on sale."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from mydata_sandbox.world.days import find_term

CAR, MEDICAL, TRIP, PENSION = "17", "16", "14", "10"
NORMAL, LAPSED, MATURED = "02", "04", "05"
ONCE: Final = "99"
CYCLE_MONTHS: Final = {"1M": 1, "3M": 3, "6M": 6, "1Y": 12}
PRIMARY: Final = "1"


@dataclass(frozen=True, slots=True)
class Rider:
    """A rider (특약, 담보): `amount` is in the policy's currency; only medical riders have a `feature`."""

    name: str
    amount: int
    code: str
    feature: int | None = None
    is_required: bool = False
    insured: str = PRIMARY


@dataclass(frozen=True, slots=True)
class Car:
    """The car of a car policy and its cover."""

    number: str
    name: str
    age: str
    driver: str
    own_damage: bool
    least_self_paid: int


@dataclass(frozen=True, slots=True)
class Policy:
    """A contract. The first of its `riders` is the main contract; `premium` is the amount of one payment.

    A car policy is renewed each year; `ends_on` applies to all others. `family` are the other insured persons.
    """

    number: str
    kind: str
    product: str
    issued: date
    ends_on: date
    premium: int
    pay_cycle: str
    pay_years: int
    riders: tuple[Rider, ...]
    family: tuple[str, ...] = ()
    currency: str | None = None
    is_renewable: bool = False
    is_variable: bool = False
    is_loanable: bool = False
    pension_start: date | None = None
    lapsed_on: date | None = None
    car: Car | None = None
    is_debited: bool = True

    @property
    def payments(self) -> int:
        """The number of payments; for a car policy, those of a year."""
        if self.pay_cycle == ONCE:
            return 1
        return self.pay_years * 12 // CYCLE_MONTHS[self.pay_cycle]

    def get_term(self, today: date) -> tuple[date, date]:
        """Returns start and end of the term that applies today."""
        if self.car:
            return find_term(self.issued, 12, today)
        return self.issued, self.ends_on

    def get_status(self, today: date) -> str:
        """Returns the status: 정상, 실효 or 만기."""
        if self.get_term(today)[1] <= today:
            return MATURED
        return LAPSED if self.lapsed_on and self.lapsed_on <= today else NORMAL


DEATH: Final = Rider("일반사망", 100_000_000, "A1100", is_required=True)
SICKNESS: Final = Rider("질병입원일당", 50_000, "A5100", is_required=True)
CANCER: Final = Rider("암진단비", 40_000_000, "A4200", is_required=True)
STROKE: Final = Rider("뇌혈관질환진단비", 20_000_000, "A4301")
HEART: Final = Rider("허혈성심장질환진단비", 20_000_000, "A4302")
INJURY: Final = Rider("상해후유장해", 100_000_000, "A3100", is_required=True)
SURGERY: Final = Rider("질병수술비", 300_000, "A5200")
ANNUITY: Final = Rider("연금보장", 60_000_000, "A9100", is_required=True)
FINE: Final = Rider("교통사고처리지원금", 200_000_000, "A8101", is_required=True)
LAWYER: Final = Rider("변호사선임비용", 50_000_000, "A8102")
MEDICAL_RIDERS: Final = (
    Rider("급여 입원의료비", 50_000_000, "100", 1, is_required=True),
    Rider("급여 통원의료비", 200_000, "101", 2, is_required=True),
    Rider("비급여 의료비", 50_000_000, "102", 3),
    Rider("처방조제료", 50_000, "103", 4),
)
CAR_RIDERS: Final = (
    Rider("대인배상", 150_000_000, "A7100", is_required=True),
    Rider("대물배상", 1_000_000_000, "A7200", is_required=True),
    Rider("자기신체사고", 100_000_000, "A7300"),
    Rider("무보험차상해", 200_000_000, "A7400"),
)
TRIP_RIDERS: Final = (
    Rider("해외여행 중 상해사망", 100_000_000, "A1110", is_required=True),
    Rider("휴대품손해", 1_000_000, "A8200"),
    Rider("항공기지연비용", 200_000, "A8300"),
)
