"""Data handlers of the insurer: policies, riders, premiums (보험-001..007, 012) and loans."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from mydata_sandbox.world.days import add_months, add_seconds, find_term, parse_window, select_newest_first
from mydata_sandbox.world.insurance import insu_loan
from mydata_sandbox.world.insurance.insu_contracts import (
    CYCLE_MONTHS,
    LAPSED,
    MATURED,
    NORMAL,
    ONCE,
    PENSION,
    PRIMARY,
    Car,
    Policy,
)
from mydata_sandbox.world.insurance.insu_policies import find_policy, list_policies
from mydata_sandbox.world.model import ApiError, DataHandler, DataRequest

TRANSFERRED, BY_CARD = "02", "04"
COVERAGE_STATUS: Final = {NORMAL: "1", MATURED: "2", LAPSED: "4"}
DEBITED_FROM: Final = "ZDRB0001"
"""The bank that premiums are debited at: its organisation code without the first two letters."""
PRIVATE_CAR, TWENTY_PER_CENT = "11", "01"
PAID_AT: Final = 10 * 3600


@dataclass(frozen=True, slots=True)
class Payment:
    """A premium paid: `number` counts within the policy (car: within the year), `due` is the yearly premium."""

    moment: datetime
    number: int
    amount: int
    due: int


def list_policy_rows(request: DataRequest) -> dict[str, Any]:
    """Returns 보험-001: the policies, and those that matured in the last five years."""
    rows = [
        {
            "insu_num": policy.number,
            "is_consent": True,
            "prod_name": policy.product,
            "insu_type": policy.kind,
            "insu_status": policy.get_status(request.today),
        }
        for policy in list_policies(request)
    ]
    return {"insu_list": rows}


def get_basics(request: DataRequest) -> dict[str, Any]:
    """Returns 보험-002: the contract and the insured persons."""
    policy = find_policy(request)
    start, end = policy.get_term(request.today)
    return {
        "is_renewable": policy.is_renewable,
        "issue_date": start,
        "exp_date": end,
        "face_amt": policy.riders[0].amount,
        "currency_code": policy.currency,
        "is_variable": policy.is_variable,
        "is_universal": False,
        "pension_rcv_start_date": policy.pension_start,
        "pension_rcv_cycle": "1M" if policy.kind == PENSION else None,
        "is_loanable": policy.is_loanable,
        "insured_list": [
            {"insured_no": number, "insured_name": full_name, "is_primary": number == PRIMARY}
            for number, full_name in _number_insured(request, policy).items()
        ],
    }


def list_riders(request: DataRequest) -> dict[str, Any]:
    """Returns 보험-003: the riders of one insured person."""
    policy = find_policy(request)
    number = request.params.get("insured_no")
    if number not in _number_insured(request, policy):
        raise ApiError(404, "40402", "피보험자 미존재")
    _, end = policy.get_term(request.today)
    rows = [
        {
            "contract_name": rider.name,
            "contract_status": policy.get_status(request.today),
            "contract_exp_date": end,
            "contract_face_amt": rider.amount,
            "currency_code": policy.currency,
            "is_required": rider.is_required,
        }
        for rider in policy.riders
        if rider.insured == number
    ]
    return {"contract_list": rows}


def get_car(request: DataRequest) -> dict[str, Any]:
    """Returns 보험-004: the car and its cover this year."""
    policy, insured = _find_car(request)
    start, end = policy.get_term(request.today)
    rows = {
        "car_number": insured.number,
        "car_insu_type": PRIVATE_CAR,
        "car_name": insured.name,
        "start_date": start,
        "end_date": end,
        "contract_age": insured.age,
        "contract_driver": insured.driver,
        "is_own_dmg_coverage": insured.own_damage,
        "self_pay_rate": TWENTY_PER_CENT,
        "self_pay_amt": insured.least_self_paid,
    }
    return {"car_insu_list": [rows]}


def get_payment_terms(request: DataRequest) -> dict[str, Any]:
    """Returns 보험-005: how and until when premiums are paid."""
    policy = find_policy(request)
    start, _ = policy.get_term(request.today)
    is_single_payment = policy.pay_cycle == ONCE
    return {
        "pay_due": "01" if is_single_payment else "02",
        "pay_cycle": policy.pay_cycle,
        "pay_cnt": policy.payments,
        "pay_org_code": DEBITED_FROM if policy.is_debited else None,
        "pay_date": None if is_single_payment else f"{start.day:02}",
        "pay_end_date": start if is_single_payment else add_months(start, policy.pay_years * 12),
        "pay_amt": _compute_premium(request, policy, start, 1),
        "currency_code": policy.currency,
        "is_auto_pay": False,
    }


def list_transactions(request: DataRequest) -> dict[str, Any]:
    """Returns 보험-006: the premiums paid."""
    policy = find_policy(request)
    rows = [
        {
            "trans_date": paid.moment.date(),
            "trans_applied_month": f"{paid.moment:%Y%m}",
            "paid_in_cnt": paid.number,
            "paid_amt": paid.amount,
            "currency_code": policy.currency,
            "pay_method": _get_pay_method(policy),
        }
        for paid in _list_paid(request, policy)
    ]
    return {"trans_list": select_newest_first(request, rows, date_field="trans_date")}


def list_car_transactions(request: DataRequest) -> dict[str, Any]:
    """Returns 보험-007: the premiums paid for a car in each year."""
    policy, insured = _find_car(request)
    if request.params.get("car_number") != insured.number:
        raise ApiError(404, "40402", "차량 미존재")
    rows = [
        {
            "trans_dtime": paid.moment,
            "trans_no": f"{paid.moment:%Y%m%d}{paid.number:02}",
            "face_amt": paid.due,
            "paid_in_cnt": paid.number,
            "paid_amt": paid.amount,
            "pay_method": _get_pay_method(policy),
        }
        for paid in _list_paid(request, policy)
    ]
    return {"trans_list": select_newest_first(request, rows)}


def list_coverages(request: DataRequest) -> dict[str, Any]:
    """Returns 보험-012: the customer's coverages, in thousands of won (or of the policy's currency)."""
    policy = find_policy(request)
    start, end = policy.get_term(request.today)
    rows = [
        {
            "subject": "C",
            "relation": "01",
            "status": COVERAGE_STATUS[policy.get_status(request.today)],
            "coverage_code": rider.code,
            "type": rider.feature,
            "coverage_num": f"{index:04}",
            "coverage_name": rider.name,
            "coverage_amt": rider.amount // 1000,
            "start_date": start,
            "end_date": end,
        }
        for index, rider in enumerate(policy.riders, 1)
        if rider.insured == PRIMARY
    ]
    return {"coverage_list": rows}


def _number_insured(request: DataRequest, policy: Policy) -> dict[str, str]:
    """Returns the masked name of each insured person by number; the customer is the first."""
    full_name = request.customer.name
    return {str(number): name for number, name in enumerate((f"{full_name[0]}*{full_name[-1]}", *policy.family), 1)}


def _find_car(request: DataRequest) -> tuple[Policy, Car]:
    policy = find_policy(request)
    if not policy.car:
        raise ApiError(404, "40402", "자동차보험이 아닌 계약")
    return policy, policy.car


def _get_pay_method(policy: Policy) -> str:
    return TRANSFERRED if policy.is_debited else BY_CARD


def _list_paid(request: DataRequest, policy: Policy) -> Iterator[Payment]:
    """Yields the payments up to the end of the period, oldest first; those of a car policy year by year."""
    first, last = parse_window(request)
    start = policy.issued
    if policy.car:
        start = max(policy.issued, add_months(find_term(policy.issued, 12, first)[0], -12))
    last = min(last, policy.lapsed_on or last)
    while start <= last:
        yield from _list_term_payments(request, policy, start, last)
        if not policy.car:
            return
        start = add_months(start, 12)


def _list_term_payments(request: DataRequest, policy: Policy, start: date, last: date) -> Iterator[Payment]:
    step = CYCLE_MONTHS.get(policy.pay_cycle, 0)
    due = (
        sum(_compute_premium(request, policy, start, number) for number in range(1, policy.payments + 1))
        if policy.car
        else 0
    )
    for number in range(1, policy.payments + 1):
        day = add_months(start, (number - 1) * step)
        if day > last:
            return
        yield Payment(add_seconds(day, PAID_AT), number, _compute_premium(request, policy, start, number), due)


def _compute_premium(request: DataRequest, policy: Policy, start: date, number: int) -> int:
    """Returns one payment. A car's premium changes each year; of two payments the second is the smaller."""
    if not policy.car:
        return policy.premium
    year = policy.premium * request.build_random(policy.number, start).randrange(90, 111) // 1000 * 10
    if policy.pay_cycle == ONCE:
        return year
    first = year * 6 // 100 * 10
    return first if number == 1 else year - first


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "보험-001": list_policy_rows,
    "보험-002": get_basics,
    "보험-003": list_riders,
    "보험-004": get_car,
    "보험-005": get_payment_terms,
    "보험-006": list_transactions,
    "보험-007": list_car_transactions,
    **insu_loan.DATA_HANDLERS,
    "보험-012": list_coverages,
}
