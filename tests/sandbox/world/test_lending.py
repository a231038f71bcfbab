"""Loans: what is owed, what was paid, and that it adds up to the won."""

from datetime import date
from decimal import Decimal

import pytest

from relay.sandbox.world.lending import Loan, Repayment, instalments, next_due


def loan(method, months=24, principal=10_000_000, number="L-1"):
    return Loan(number, "P", date(2024, 1, 31), months, "3100", method, principal, Decimal("6.0"), None)


@pytest.mark.parametrize("method", [Repayment.EQUAL_PRINCIPAL, Repayment.EQUAL_PAYMENT])
@pytest.mark.parametrize("principal", [10_000_000, 9_999_999, 7])
def test_a_loan_repaid_in_instalments_ends_at_nothing(method, principal):
    told = instalments("bank", 1, loan(method, principal=principal), 24)
    assert sum(one.principal for one in told) == principal
    assert told[-1].balance == 0


@pytest.mark.parametrize("method", [Repayment.EQUAL_PRINCIPAL, Repayment.EQUAL_PAYMENT, Repayment.AT_ONCE])
def test_each_balance_is_the_one_before_less_the_principal_paid(method):
    told = instalments("bank", 1, loan(method), 24)
    owed = 10_000_000
    for one in told:
        owed -= one.principal
        assert one.balance == owed


def test_interest_of_a_month_is_a_twelfth_of_the_rate_of_what_was_owed():
    first, second, *_ = instalments("bank", 1, loan(Repayment.EQUAL_PRINCIPAL), 24)
    assert first.interest[0].amount == 50_000
    assert second.interest[0].amount == round((10_000_000 - first.principal) * 0.06 / 12)


def test_equal_payments_are_equal_but_for_the_last():
    told = instalments("bank", 1, loan(Repayment.EQUAL_PAYMENT), 24)
    assert {one.principal + one.interest[0].amount for one in told[:-1]} == {443_206}  # the annuity formula's


def test_a_loan_repaid_at_once_owes_all_of_it_and_pays_interest_every_month():
    told = instalments("bank", 1, loan(Repayment.AT_ONCE), 30)
    assert {one.principal for one in told} == {0}
    assert {one.interest[0].amount for one in told} == {50_000}


def test_who_pays_late_pays_three_days_and_three_points_more():
    told = [one for number in range(20) for one in instalments("bank", 1, loan("02", number=f"L-{number}"), 24)]
    late = [one for one in told if one.paid > one.due]
    assert 5 < len(late) < 100
    for one in late:
        first, surcharge = one.interest
        missed = one.principal + first.amount
        assert (one.paid - one.due).days == 3
        assert surcharge.late
        assert surcharge.amount == round(missed * 0.09 * 3 / 365)
        assert one.interest_amount == first.amount + surcharge.amount
    assert all(len(one.interest) == 1 for one in told if one not in late)


@pytest.mark.parametrize(
    ("method", "today", "matures", "due"),
    [
        (Repayment.EQUAL_PAYMENT, date(2024, 6, 1), date(2026, 1, 31), date(2024, 6, 30)),
        (Repayment.EQUAL_PAYMENT, date(2027, 6, 1), date(2026, 1, 31), date(2026, 1, 31)),
        (Repayment.AT_ONCE, date(2024, 6, 1), date(2026, 1, 31), date(2024, 6, 30)),
        (Repayment.AT_ONCE, date(2027, 6, 1), date(2028, 1, 31), date(2027, 6, 30)),
    ],
)
def test_a_loan_repaid_at_once_is_prolonged_and_others_end(method, today, matures, due):
    assert loan(method).matures(today) == matures
    assert next_due(loan(method), today) == due
