"""The insurer's stories: policies, what they promise, what they cost (보험-001..007, 012) and what is lent on them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from relay.sandbox.world import insu_loan
from relay.sandbox.world.days import at, month_later, newest_first, term_of, window
from relay.sandbox.world.insu_contracts import (
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
from relay.sandbox.world.insu_policies import asked, policies
from relay.sandbox.world.model import Absent, Ask, Story

TRANSFERRED, BY_CARD = "02", "04"
COVERAGE_STATUS: Final = {NORMAL: "1", MATURED: "2", LAPSED: "4"}
DEBITED_FROM: Final = "ZDRB0001"
"""The bank premiums are debited at: its organisation code without the first two letters."""
PRIVATE_CAR, TWENTY_PER_CENT = "11", "01"
PAID_AT: Final = 10 * 3600


@dataclass(frozen=True, slots=True)
class Paid:
    """A premium paid: its moment, which of the policy's (or a car's year's) payments it was, and `due` for the year."""

    when: datetime
    turn: int
    amount: int
    due: int


def policy_list(ask: Ask) -> dict[str, Any]:
    """보험-001: the policies, matured ones for five years more."""
    listed = [
        {
            "insu_num": policy.number,
            "is_consent": True,
            "prod_name": policy.product,
            "insu_type": policy.kind,
            "insu_status": policy.status(ask.today),
        }
        for policy in policies(ask)
    ]
    return {"insu_list": listed}


def basics(ask: Ask) -> dict[str, Any]:
    """보험-002: the contract and who is insured by it."""
    policy = asked(ask)
    start, end = policy.term(ask.today)
    return {
        "is_renewable": policy.renewable,
        "issue_date": start,
        "exp_date": end,
        "face_amt": policy.riders[0].amount,
        "currency_code": policy.currency,
        "is_variable": policy.variable,
        "is_universal": False,
        "pension_rcv_start_date": policy.pays_from,
        "pension_rcv_cycle": "1M" if policy.kind == PENSION else None,
        "is_loanable": policy.loanable,
        "insured_list": [
            {"insured_no": number, "insured_name": name, "is_primary": number == PRIMARY}
            for number, name in _insured(ask, policy).items()
        ],
    }


def riders(ask: Ask) -> dict[str, Any]:
    """보험-003: what is promised to one of the insured."""
    policy = asked(ask)
    number = ask.params.get("insured_no")
    if number not in _insured(ask, policy):
        raise Absent(404, "40402", "피보험자 미존재")
    _, end = policy.term(ask.today)
    listed = [
        {
            "contract_name": rider.name,
            "contract_status": policy.status(ask.today),
            "contract_exp_date": end,
            "contract_face_amt": rider.amount,
            "currency_code": policy.currency,
            "is_required": rider.required,
        }
        for rider in policy.riders
        if rider.insured == number
    ]
    return {"contract_list": listed}


def car(ask: Ask) -> dict[str, Any]:
    """보험-004: the car, and how it is insured this year."""
    policy, insured = _car(ask)
    start, end = policy.term(ask.today)
    listed = {
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
    return {"car_insu_list": [listed]}


def payment(ask: Ask) -> dict[str, Any]:
    """보험-005: how it is paid for, until when."""
    policy = asked(ask)
    start, _ = policy.term(ask.today)
    once = policy.pay_cycle == ONCE
    return {
        "pay_due": "01" if once else "02",
        "pay_cycle": policy.pay_cycle,
        "pay_cnt": policy.payments,
        "pay_org_code": DEBITED_FROM if policy.debited else None,
        "pay_date": None if once else f"{start.day:02}",
        "pay_end_date": start if once else month_later(start, policy.pay_years * 12),
        "pay_amt": _premium(ask, policy, start, 1),
        "currency_code": policy.currency,
        "is_auto_pay": False,
    }


def transactions(ask: Ask) -> dict[str, Any]:
    """보험-006: the premiums paid."""
    policy = asked(ask)
    rows = [
        {
            "trans_date": paid.when.date(),
            "trans_applied_month": f"{paid.when:%Y%m}",
            "paid_in_cnt": paid.turn,
            "paid_amt": paid.amount,
            "currency_code": policy.currency,
            "pay_method": _method(policy),
        }
        for paid in _paid(ask, policy)
    ]
    return {"trans_list": newest_first(ask, rows, by="trans_date")}


def car_transactions(ask: Ask) -> dict[str, Any]:
    """보험-007: what was paid for a car, year after year."""
    policy, insured = _car(ask)
    if ask.params.get("car_number") != insured.number:
        raise Absent(404, "40402", "차량 미존재")
    rows = [
        {
            "trans_dtime": paid.when,
            "trans_no": f"{paid.when:%Y%m%d}{paid.turn:02}",
            "face_amt": paid.due,
            "paid_in_cnt": paid.turn,
            "paid_amt": paid.amount,
            "pay_method": _method(policy),
        }
        for paid in _paid(ask, policy)
    ]
    return {"trans_list": newest_first(ask, rows)}


def coverages(ask: Ask) -> dict[str, Any]:
    """보험-012: what the customer is covered for, in thousands of won (or of the policy's money)."""
    policy = asked(ask)
    start, end = policy.term(ask.today)
    listed = [
        {
            "subject": "C",
            "relation": "01",
            "status": COVERAGE_STATUS[policy.status(ask.today)],
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
    return {"coverage_list": listed}


def _insured(ask: Ask, policy: Policy) -> dict[str, str]:
    """Numbers and masked names of the insured; the customer is the first."""
    name = ask.customer.name
    return {str(number): who for number, who in enumerate((f"{name[0]}*{name[-1]}", *policy.family), 1)}


def _car(ask: Ask) -> tuple[Policy, Car]:
    policy = asked(ask)
    if not policy.car:
        raise Absent(404, "40402", "자동차보험이 아닌 계약")
    return policy, policy.car


def _method(policy: Policy) -> str:
    return TRANSFERRED if policy.debited else BY_CARD


def _paid(ask: Ask, policy: Policy) -> Iterator[Paid]:
    """The payments up to the end of the window, oldest first: a car's by years, the others' in one row."""
    first, last = window(ask)
    starts = policy.issued
    if policy.car:
        starts = max(policy.issued, month_later(term_of(policy.issued, 12, first)[0], -12))
    last = min(last, policy.lapsed or last)
    while starts <= last:
        yield from _year_or_life(ask, policy, starts, last)
        if not policy.car:
            return
        starts = month_later(starts, 12)


def _year_or_life(ask: Ask, policy: Policy, starts: date, last: date) -> Iterator[Paid]:
    step = CYCLE_MONTHS.get(policy.pay_cycle, 0)
    due = sum(_premium(ask, policy, starts, turn) for turn in range(1, policy.payments + 1)) if policy.car else 0
    for turn in range(1, policy.payments + 1):
        day = month_later(starts, (turn - 1) * step)
        if day > last:
            return
        yield Paid(at(day, PAID_AT), turn, _premium(ask, policy, starts, turn), due)


def _premium(ask: Ask, policy: Policy, starts: date, turn: int) -> int:
    """One payment; a car's premium is set anew each year, and when paid twice the second is the smaller."""
    if not policy.car:
        return policy.premium
    year = policy.premium * ask.dice(policy.number, starts).randrange(90, 111) // 1000 * 10
    if policy.pay_cycle == ONCE:
        return year
    first = year * 6 // 100 * 10
    return first if turn == 1 else year - first


STORIES: Final[dict[str, Story]] = {
    "보험-001": policy_list,
    "보험-002": basics,
    "보험-003": riders,
    "보험-004": car,
    "보험-005": payment,
    "보험-006": transactions,
    "보험-007": car_transactions,
    **insu_loan.STORIES,
    "보험-012": coverages,
}
