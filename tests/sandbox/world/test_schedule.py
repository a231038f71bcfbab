"""Repayment schedules, by each method of the standard."""

from datetime import date
from decimal import Decimal

import pytest
from mydata_sandbox.world.schedule import (
    BULLET,
    EQUAL_PAYMENT,
    EQUAL_PRINCIPAL,
    Loan,
    get_balance,
    get_next_instalment,
    list_instalments,
    list_paid,
)


def build_loan(method, principal=10_000_000):
    return Loan(date(2026, 1, 15), 24, principal, Decimal("6.0"), method)


@pytest.mark.parametrize("method", [BULLET, EQUAL_PRINCIPAL, EQUAL_PAYMENT])
def test_a_loan_is_repaid_by_its_last_day(method):
    plan = list_instalments(build_loan(method))
    assert sum(instalment.principal for instalment in plan) == 10_000_000
    assert (plan[-1].balance, plan[-1].due) == (0, build_loan(method).expires) == (0, date(2028, 1, 15))
    assert [instalment.since for instalment in plan[1:]] == [instalment.due for instalment in plan[:-1]]


def test_each_method_keeps_its_own_amount_level():
    assert {instalment.principal for instalment in list_instalments(build_loan(BULLET))[:-1]} == {0}
    assert len({instalment.principal for instalment in list_instalments(build_loan(EQUAL_PRINCIPAL))[:-1]}) == 1
    assert len({instalment.amount for instalment in list_instalments(build_loan(EQUAL_PAYMENT))[:-1]}) == 1
    assert list_instalments(build_loan(EQUAL_PAYMENT))[0].amount == 443_206


def test_an_instalment_is_paid_on_its_due_date():
    plan = build_loan(EQUAL_PRINCIPAL, 2_400_000)
    assert get_balance(plan, date(2026, 2, 14)) == 2_400_000
    assert get_balance(plan, date(2026, 2, 15)) == 2_300_000
    assert [instalment.number for instalment in list_paid(plan, date(2026, 3, 15))] == [1, 2]
    assert get_next_instalment(plan, date(2026, 3, 15)).number == 3
