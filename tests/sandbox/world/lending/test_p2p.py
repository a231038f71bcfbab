"""P2P lending: repayments add up to the balance; only a loan secured by a home has an LTV."""

from datetime import date, timedelta

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError

ALL = pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
WHOLE_PERIOD = {"from_date": "20200101", "to_date": "20261119"}
QUARTER = {"from_date": "20260820", "to_date": "20261119"}


def list_lendings(client):
    return client("P2P-001", limit="500")["lending_list"]


@ALL
def test_only_a_secured_loan_has_an_ltv(build_client, customer):
    client = build_client("p2p", customer)
    assert {lending["type"] for lending in list_lendings(client)} == {"02", "05"}
    for lending in list_lendings(client):
        basic = client("P2P-002", lending_id=lending["lending_id"])
        assert ("ltv_rate" in basic) == (lending["type"] == "02")


@ALL
def test_repayments_add_up_to_the_balance(build_client, customer):
    client = build_client("p2p", customer)
    for lending in list_lendings(client):
        lending_id = lending["lending_id"]
        rows = client.fetch_pages("P2P-004", "trans_list", limit=5, lending_id=lending_id, **WHOLE_PERIOD)
        assert rows == client.fetch_pages("P2P-004", "trans_list", lending_id=lending_id, **WHOLE_PERIOD)
        detail = client("P2P-003", lending_id=lending_id)
        paid_back = sum(int(row["principal_amt"]) for row in rows)
        assert float(lending["lending_amt"]) - paid_back == int(detail["balance_amt"]) > 0
        assert int(detail["next_repay_cnt"]) == len(rows) + 1
        for row in rows:
            assert int(row["principal_amt"]) + int(row["int_amt"]) == int(row["trans_amt"])
        shorter = client.fetch_pages("P2P-004", "trans_list", lending_id=lending_id, **QUARTER)
        assert shorter == rows[: len(shorter)]


@ALL
def test_a_loan_is_running_on_any_day(build_client, customer):
    for days in range(0, 1500, 23):
        day = date(2024, 1, 1) + timedelta(days=days)
        client = build_client("p2p", customer, today=day)
        for lending in list_lendings(client):
            detail = client("P2P-003", lending_id=lending["lending_id"])
            assert detail["next_repay_date"] >= f"{day:%Y%m%d}"
            assert int(detail["principal_amt"]) > 0


def test_an_unknown_loan_is_rejected(build_client):
    with pytest.raises(ApiError) as error:
        build_client("p2p", CUSTOMERS[0])("P2P-003", lending_id="RE-0")
    assert error.value.rsp_code == "40402"
