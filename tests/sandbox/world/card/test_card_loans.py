"""Card loans: each kind has one on any day."""

from datetime import date, timedelta

import pytest
from mydata_sandbox.world.model import CUSTOMERS

ALL = pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)


@ALL
def test_there_are_card_loans_on_any_day(build_client, customer):
    for days in range(0, 800, 11):
        client = build_client("card", customer, today=date(2025, 1, 1) + timedelta(days=days))
        [revolving] = client("카드-007")["revolving_list"]
        assert int(revolving["remained_amt"]) > 0
        assert client("카드-011")["short_term_list"]
        [loan] = client("카드-012")["long_term_list"]
        assert 0 < float(loan["balance_amt"]) <= float(loan["loan_amt"])


@ALL
def test_each_payment_day_reduces_the_revolving_balance(build_client, customer):
    for month in range(1, 12):
        before, after = (
            build_client("card", customer, today=date(2026, month, day))("카드-007")["revolving_list"][0]
            for day in (14, 15)
        )
        reduction = int(before["remained_amt"]) - int(after["remained_amt"])
        assert after["req_date"] == f"2026{month:02d}14" or reduction == int(after["agreed_pay_amt"])


@ALL
def test_a_bill_reduces_the_card_loan_by_its_principal(build_client, customer):
    before, after = (build_client("card", customer, today=date(2026, 11, day)) for day in (14, 15))
    rows = after.fetch_pages("카드-005", "bill_detail_list", charge_month="202611")
    [item] = [row for row in rows if row["prod_type"] == "05"]
    balances = [float(client("카드-012")["long_term_list"][0]["balance_amt"]) for client in (before, after)]
    assert balances[0] - balances[1] == float(item["paid_amt"])
    assert int(float(before("카드-012")["long_term_list"][0]["int_amt"])) == int(item["credit_fee_amt"])
