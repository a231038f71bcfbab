"""Loans: balances and repayments add up to the won."""

from datetime import date
from decimal import Decimal

import pytest
from mydata_sandbox.world.lending.lending import Loan, Repayment, build_instalments, find_next_due


def build_loan(method, months=24, principal=10_000_000, number="L-1"):
    return Loan(number, "P", date(2024, 1, 31), months, "3100", method, principal, Decimal("6.0"), None)


@pytest.mark.parametrize("method", [Repayment.EQUAL_PRINCIPAL, Repayment.EQUAL_PAYMENT])
@pytest.mark.parametrize("principal", [10_000_000, 9_999_999, 7])
def test_a_loan_repaid_in_instalments_ends_at_zero(method, principal):
    instalments = build_instalments("bank", 1, build_loan(method, principal=principal), 24)
    assert sum(instalment.principal for instalment in instalments) == principal
    assert instalments[-1].balance == 0


@pytest.mark.parametrize("method", [Repayment.EQUAL_PRINCIPAL, Repayment.EQUAL_PAYMENT, Repayment.BULLET])
def test_each_principal_paid_reduces_the_balance(method):
    instalments = build_instalments("bank", 1, build_loan(method), 24)
    balance = 10_000_000
    for instalment in instalments:
        balance -= instalment.principal
        assert instalment.balance == balance


def test_monthly_interest_is_a_twelfth_of_the_yearly_rate():
    first, second, *_ = build_instalments("bank", 1, build_loan(Repayment.EQUAL_PRINCIPAL), 24)
    assert first.interest[0].amount == 50_000
    assert second.interest[0].amount == round((10_000_000 - first.principal) * 0.06 / 12)


def test_equal_payments_are_equal_but_for_the_last():
    instalments = build_instalments("bank", 1, build_loan(Repayment.EQUAL_PAYMENT), 24)
    assert {instalment.principal + instalment.interest[0].amount for instalment in instalments[:-1]} == {
        443_206
    }  # by the annuity formula


def test_a_bullet_loan_pays_interest_only():
    instalments = build_instalments("bank", 1, build_loan(Repayment.BULLET), 30)
    assert {instalment.principal for instalment in instalments} == {0}
    assert {instalment.interest[0].amount for instalment in instalments} == {50_000}


def test_late_payments_cost_three_days_and_three_points_more():
    instalments = [
        instalment
        for number in range(20)
        for instalment in build_instalments("bank", 1, build_loan("02", number=f"L-{number}"), 24)
    ]
    late = [instalment for instalment in instalments if instalment.paid_on > instalment.due]
    assert 5 < len(late) < 100
    for instalment in late:
        first, surcharge = instalment.interest
        overdue = instalment.principal + first.amount
        assert (instalment.paid_on - instalment.due).days == 3
        assert surcharge.is_late
        assert surcharge.amount == round(overdue * 0.09 * 3 / 365)
        assert instalment.interest_amount == first.amount + surcharge.amount
    assert all(len(instalment.interest) == 1 for instalment in instalments if instalment not in late)


@pytest.mark.parametrize(
    ("method", "today", "matures", "due"),
    [
        (Repayment.EQUAL_PAYMENT, date(2024, 6, 1), date(2026, 1, 31), date(2024, 6, 30)),
        (Repayment.EQUAL_PAYMENT, date(2027, 6, 1), date(2026, 1, 31), date(2026, 1, 31)),
        (Repayment.BULLET, date(2024, 6, 1), date(2026, 1, 31), date(2024, 6, 30)),
        (Repayment.BULLET, date(2027, 6, 1), date(2028, 1, 31), date(2027, 6, 30)),
    ],
)
def test_bullet_loans_are_extended_and_others_end(method, today, matures, due):
    assert build_loan(method).get_maturity(today) == matures
    assert find_next_due(build_loan(method), today) == due
