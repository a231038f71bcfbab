"""Instalment finance: loans whose principal and interest add up, and a lease with APIs of its own."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError

ALL = pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
WHOLE_PERIOD = {"from_date": "20200101", "to_date": "20261119"}
QUARTER = {"from_date": "20260820", "to_date": "20261119"}
LEASE = "3710"


def list_numbers(client, *, is_lease):
    accounts = client("할부금융-001", limit="500")["account_list"]
    return [account["account_num"] for account in accounts if (account["account_type"] == LEASE) == is_lease]


@ALL
def test_every_customer_has_loans_and_a_lease(build_client, customer):
    client = build_client("capital", customer)
    assert len(list_numbers(client, is_lease=False)) == 2
    assert len(list_numbers(client, is_lease=True)) == 1
    assert client("할부금융-001", limit="500")["reg_date"] == f"{customer.since:%Y%m%d}"


@ALL
def test_repayments_add_up_to_the_balance(build_client, customer):
    client = build_client("capital", customer)
    for number in list_numbers(client, is_lease=False):
        rows = client.fetch_pages("할부금융-004", "trans_list", limit=9, account_num=number, **WHOLE_PERIOD)[::-1]
        detail = client("할부금융-003", account_num=number)
        assert rows[0]["trans_type"] == "01"
        assert rows[0]["trans_amt"] == detail["loan_principal"]
        assert rows[-1]["balance_amt"] == detail["balance_amt"]
        for before, row in pairwise(rows):
            assert float(row["principal_amt"]) + float(row["int_amt"]) == float(row["trans_amt"])
            assert float(before["balance_amt"]) - float(row["principal_amt"]) == float(row["balance_amt"])
            assert sum(float(part["applied_int_amt"]) for part in row["int_list"]) == float(row["int_amt"])


@ALL
def test_late_instalments_have_late_interest(build_client, customer):
    client = build_client("capital", customer)
    kinds = [
        tuple(part["int_type"] for part in row["int_list"])
        for number in list_numbers(client, is_lease=False)
        for row in client.fetch_pages("할부금융-004", "trans_list", account_num=number, **WHOLE_PERIOD)
    ]
    assert set(kinds) <= {(), ("01",), ("01", "02")}
    assert ("01",) in kinds


@ALL
def test_leases_and_loans_have_separate_apis(build_client, customer):
    client = build_client("capital", customer)
    [lease] = list_numbers(client, is_lease=True)
    loan, *_ = list_numbers(client, is_lease=False)
    window = {"limit": "500", **QUARTER}
    assert client("할부금융-002", account_num=loan)["repay_method"] == "04"
    assert client("할부금융-005", account_num=lease)["next_repay_date"] == "20261215"
    rents = client("할부금융-006", account_num=lease, **window)["trans_list"]
    assert len({rent["trans_amt"] for rent in rents}) == 1
    wrong = [(loan, "할부금융-005"), (loan, "할부금융-006"), *((lease, f"할부금융-00{n}") for n in (2, 3, 4))]
    for number, api_id in wrong:
        with pytest.raises(ApiError) as error:
            client(api_id, account_num=number, **window)
        assert error.value.rsp_code == "40301"
    with pytest.raises(ApiError) as error:
        client("할부금융-002", account_num="0")
    assert error.value.rsp_code == "40402"


@ALL
def test_periods_agree_and_responses_repeat(build_client, customer):
    client = build_client("capital", customer)
    for number in list_numbers(client, is_lease=False):
        rows = client.fetch_pages("할부금융-004", "trans_list", account_num=number, **QUARTER)
        assert rows
        assert rows == client.fetch_pages("할부금융-004", "trans_list", account_num=number, **QUARTER)
        longer = client.fetch_pages("할부금융-004", "trans_list", account_num=number, **WHOLE_PERIOD)
        assert all(row in longer for row in rows)


@ALL
def test_a_loan_is_running_on_any_day(build_client, customer):
    for days in range(0, 2000, 29):
        day = date(2024, 1, 1) + timedelta(days=days)
        client = build_client("capital", customer, today=day)
        for number in list_numbers(client, is_lease=False):
            assert client("할부금융-003", account_num=number)["next_repay_date"] >= f"{day:%Y%m%d}"
            assert float(client("할부금융-003", account_num=number)["balance_amt"]) > 0
