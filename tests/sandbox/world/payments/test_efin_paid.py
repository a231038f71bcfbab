"""Payments through accounts of an electronic finance company, and their means of payment."""

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError

ALL = pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
MONTH = {"from_date": "20261020", "to_date": "20261119"}
QUARTER = {"from_date": "20260801", "to_date": "20261119"}


def list_accounts(client):
    return client("전금-101", limit="500")["account_list"]


@ALL
def test_payments_are_complete_and_refunds_match_payments(build_client, customer):
    client = build_client("efin", customer)
    for account in list_accounts(client):
        window = {"sub_key": account["sub_key"]}
        rows = client.fetch_pages("전금-103", "trans_list", limit=9, **window, **MONTH)
        assert rows == client.fetch_pages("전금-103", "trans_list", **window, **MONTH)
        longer = client.fetch_pages("전금-103", "trans_list", **window, **QUARTER)
        assert all(row in longer for row in rows)
        paid = {row["trans_num"]: row for row in longer if row["trans_type"] < "6200"}
        for row in longer:
            if row["trans_type"] >= "6200" and row["trans_dtime"] >= "202609":
                assert paid[row["trans_num"]]["trans_amt"] == row["trans_amt"]
            assert ("total_install_cnt" in row) <= (row["trans_type"] in {"6101", "6201"})


@ALL
def test_means_of_payment_need_a_registered_account(build_client, customer):
    client = build_client("efin", customer)
    for account in list_accounts(client):
        if account["is_pay"] == "true":
            means = client("전금-102", sub_key=account["sub_key"])["pay_list"]
            assert [mean["is_primary"] for mean in means].count("true") == 1
        else:
            with pytest.raises(ApiError):
                client("전금-102", sub_key=account["sub_key"])
