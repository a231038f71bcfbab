"""The insurance policies and loans of each customer."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from mydata_sandbox.world.days import add_months
from mydata_sandbox.world.insurance.insu_contracts import (
    ANNUITY,
    CANCER,
    CAR,
    CAR_RIDERS,
    DEATH,
    FINE,
    HEART,
    INJURY,
    LAWYER,
    MEDICAL,
    MEDICAL_RIDERS,
    ONCE,
    PENSION,
    SICKNESS,
    STROKE,
    SURGERY,
    TRIP,
    TRIP_RIDERS,
    Car,
    Policy,
    Rider,
)
from mydata_sandbox.world.lending.lending import Loan, Repayment
from mydata_sandbox.world.lookup import find_asset, get_owned
from mydata_sandbox.world.model import DataRequest

SHOWN_AFTER_END_MONTHS: Final = 60
FOR_LIFE: Final = date(2095, 12, 31)


def _build_medical_policy(number: str, issued: date, premium: int) -> Policy:
    ends_on = add_months(issued, 15 * 12)
    return Policy(
        number, MEDICAL, "다정한 실손의료보험", issued, ends_on, premium, "1M", 15, MEDICAL_RIDERS, is_renewable=True
    )


def _build_car_policy(number: str, issued: date, premium: int, cycle: str, car: Car) -> Policy:
    return Policy(
        number,
        CAR,
        "빙글 개인용자동차보험",
        issued,
        issued,
        premium,
        cycle,
        1,
        CAR_RIDERS,
        car=car,
        is_debited=cycle != ONCE,
    )


POLICIES: Final[dict[int, tuple[Policy, ...]]] = {
    1: (
        Policy(
            "L01201506220001",
            "01",
            "한결같은 종신보험",
            date(2015, 6, 22),
            FOR_LIFE,
            182_000,
            "1M",
            20,
            (DEATH, SURGERY, STROKE),
            is_loanable=True,
        ),
        Policy(
            "L01201801150002",
            "05",
            "든든 암보험",
            date(2018, 1, 15),
            date(2068, 1, 15),
            47_300,
            "1M",
            20,
            (CANCER, STROKE, HEART),
        ),
        Policy(
            "L01201903080003",
            PENSION,
            "노을빛 변액연금보험",
            date(2019, 3, 8),
            date(2050, 3, 8),
            300_000,
            "1M",
            15,
            (ANNUITY,),
            is_variable=True,
            is_loanable=True,
            pension_start=date(2045, 3, 8),
        ),
        _build_medical_policy("N01202107050004", date(2021, 7, 5), 31_200),
        _build_car_policy(
            "N01202009180005",
            date(2020, 9, 18),
            742_000,
            "6M",
            Car("12가3456", "새봄 세단", "만 35세 이상", "부부한정", own_damage=True, least_self_paid=200_000),
        ),
        Policy(
            "N01202211010006",
            "13",
            "안심 운전자보험",
            date(2022, 11, 1),
            date(2042, 11, 1),
            12_900,
            "1M",
            20,
            (FINE, LAWYER, INJURY, Rider("배우자 상해후유장해", 50_000_000, "A3100", insured="2")),
            family=("이*봄",),
        ),
    ),
    2: (
        Policy(
            "L02201811050001",
            "01",
            "첫걸음 종신보험",
            date(2018, 11, 5),
            FOR_LIFE,
            96_000,
            "1M",
            20,
            (DEATH, SURGERY),
            is_loanable=True,
        ),
        Policy(
            "L02202004140002",
            "03",
            "매일튼튼 건강보험",
            date(2020, 4, 14),
            date(2082, 4, 14),
            38_700,
            "1M",
            20,
            (SICKNESS, HEART, STROKE, SURGERY),
        ),
        Policy(
            "L02202112200003",
            PENSION,
            "느긋한 연금보험",
            date(2021, 12, 20),
            date(2062, 12, 20),
            500_000,
            "3M",
            10,
            (ANNUITY,),
            is_loanable=True,
            pension_start=date(2052, 12, 20),
        ),
        _build_medical_policy("N02201810250004", date(2018, 10, 25), 18_400),
        _build_car_policy(
            "N02202205110005",
            date(2022, 5, 11),
            911_000,
            ONCE,
            Car("345나6789", "작은별 해치백", "만 26세 이상", "누구나운전", own_damage=False, least_self_paid=300_000),
        ),
    ),
    3: (
        Policy(
            "L03200905270001",
            "01",
            "가장의 약속 종신보험",
            date(2009, 5, 27),
            FOR_LIFE,
            264_000,
            "1M",
            20,
            (DEATH, CANCER, STROKE, HEART),
            is_loanable=True,
        ),
        Policy(
            "L03202006100002",
            "01",
            "달러 종신보험",
            date(2020, 6, 10),
            FOR_LIFE,
            310,
            "1M",
            10,
            (Rider("일반사망", 150_000, "A1100", is_required=True),),
            currency="USD",
            is_loanable=True,
        ),
        Policy(
            "L03201202130003",
            PENSION,
            "은빛 즉시연금보험",
            date(2012, 2, 13),
            date(2047, 2, 13),
            50_000_000,
            ONCE,
            0,
            (ANNUITY,),
            is_loanable=True,
            pension_start=date(2027, 2, 13),
            is_debited=False,
        ),
        Policy(
            "L03201607210004",
            "02",
            "정기보험 플러스",
            date(2016, 7, 21),
            date(2046, 7, 21),
            29_500,
            "1M",
            20,
            (DEATH,),
            lapsed_on=date(2024, 9, 21),
        ),
        _build_medical_policy("N03202203150005", date(2022, 3, 15), 54_600),
        _build_car_policy(
            "N03201711240006",
            date(2017, 11, 24),
            658_000,
            "6M",
            Car("78다9012", "너른들 승합", "99", "가족한정", own_damage=True, least_self_paid=200_000),
        ),
        Policy(
            "N03201404160007",
            "07",
            "우리아이 어린이보험",
            date(2014, 4, 16),
            date(2044, 4, 16),
            61_000,
            "1M",
            20,
            (INJURY, CANCER, Rider("자녀 골절진단비", 300_000, "A5300", insured="2")),
            family=("박*솔",),
        ),
    ),
}

TRAVELLER: Final = 2
"""이나래 travels abroad every quarter and insures each trip."""

LOANS: Final[dict[int, tuple[Loan, ...]]] = {
    1: (
        Loan(
            "8400210318001",
            "보험계약대출",
            date(2021, 3, 18),
            12,
            "3400",
            Repayment.BULLET,
            9_000_000,
            Decimal("5.35"),
            None,
            "L01201506220001",
        ),
    ),
    2: (
        Loan(
            "8400230926002",
            "보험계약대출",
            date(2023, 9, 26),
            12,
            "3400",
            Repayment.BULLET,
            2_500_000,
            Decimal("5.6"),
            None,
            "L02201811050001",
        ),
    ),
    3: (
        Loan(
            "8220190705003",
            "온생명 주택담보대출",
            date(2019, 7, 5),
            300,
            "3220",
            Repayment.EQUAL_PAYMENT,
            150_000_000,
            Decimal("3.72"),
            None,
        ),
        Loan(
            "8400180219004",
            "보험계약대출",
            date(2018, 2, 19),
            12,
            "3400",
            Repayment.BULLET,
            18_000_000,
            Decimal("6.1"),
            None,
            "L03200905270001",
        ),
    ),
}


def list_policies(request: DataRequest) -> tuple[Policy, ...]:
    """Returns the customer's policies by number, and those that matured in the last five years."""
    held = (*get_owned(POLICIES, request), *(_draw_trips(request) if request.customer.number == TRAVELLER else ()))
    oldest = add_months(request.today, -SHOWN_AFTER_END_MONTHS)
    shown = (
        policy for policy in held if policy.issued <= request.today and policy.get_term(request.today)[1] >= oldest
    )
    return tuple(sorted(shown, key=lambda policy: policy.number))


def find_policy(request: DataRequest) -> Policy:
    """Returns the requested policy."""
    return find_asset(list_policies(request), lambda policy: policy.number == request.params.get("insu_num"))


def list_loans(request: DataRequest) -> tuple[Loan, ...]:
    """Returns the insurer's loans to the customer."""
    return tuple(loan for loan in get_owned(LOANS, request) if loan.opened <= request.today)


def _draw_trips(request: DataRequest) -> Iterator[Policy]:
    quarter = date(request.customer.since.year + 1, 1, 1)
    while quarter <= request.today:
        rng = request.build_random("trip", quarter)
        departs = quarter + timedelta(days=rng.randrange(75))
        returns = departs + timedelta(days=rng.randrange(4, 12))
        premium = rng.randrange(9_000, 31_000, 100)
        yield Policy(
            f"N02T{departs:%Y%m%d}",
            TRIP,
            "가뿐한 해외여행자보험",
            departs,
            returns,
            premium,
            ONCE,
            0,
            TRIP_RIDERS,
            is_debited=False,
        )
        quarter = add_months(quarter, 3)
