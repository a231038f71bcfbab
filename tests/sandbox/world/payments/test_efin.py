"""Electronic finance: prepaid balances that add up, and payments through accounts."""

from itertools import pairwise

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError

ALL = pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
MONTH = {"from_date": "20261020", "to_date": "20261119"}
QUARTER = {"from_date": "20260801", "to_date": "20261119"}
OUTGOING = {"5201", "5202", "5501"}


def list_balances(client):
    for fob in client("전금-001", limit="500")["fob_list"]:
        for account in fob.get("account_list", [{}]):
            yield fob, {"fob_id": fob["fob_id"], **account}


def list_accounts(client):
    return client("전금-101", limit="500")["account_list"]


@ALL
def test_every_customer_has_an_automatic_and_a_foreign_balance(build_client, customer):
    fobs = build_client("efin", customer)("전금-001", limit="500")["fob_list"]
    assert {fob["is_charge"] for fob in fobs} == {"true", "false"}
    assert [fob.get("currency_code") for fob in fobs] == [None, "JPY"]
    assert ["account_cnt" in fob for fob in fobs] == [True, False]


@ALL
def test_transactions_add_up_to_the_balance(build_client, customer):
    client = build_client("efin", customer)
    for _, balance in list_balances(client):
        rows = client.fetch_pages("전금-004", "trans_list", **balance, **QUARTER)
        moments = [row["trans_dtime"] for row in rows]
        assert moments == sorted(moments, reverse=True)
        for row, before in pairwise(rows):
            amount = float(row["trans_amt"]) * (-1 if row["trans_type"] in OUTGOING else 1)
            assert float(before["balance_amt"]) + amount == float(row["balance_amt"]) >= 0
        assert client("전금-002", **balance)["total_balance_amt"] == rows[0]["balance_amt"]
        assert len({row["trans_no"] for row in rows}) == len(rows)


@ALL
def test_charges_follow_the_automatic_charge_rule(build_client, customer):
    client = build_client("efin", customer)
    for fob, balance in list_balances(client):
        if fob["is_charge"] == "false":
            with pytest.raises(ApiError) as error:
                client("전금-003", **balance)
            assert error.value.rsp_code == "40301"
            continue
        [rule] = client("전금-003", **balance)["charge_list"]
        assert rule["charge_option"] == "02"
        assert "charge_day" not in rule
        charges = [
            row
            for row in client.fetch_pages("전금-004", "trans_list", **balance, **MONTH)
            if row["trans_type"] == "5102"
        ]
        assert {row["trans_amt"] for row in charges} == {rule["charge_amt"]}


@ALL
def test_transactions_are_complete_in_pages_and_longer_periods(build_client, customer):
    client = build_client("efin", customer)
    for _, balance in list_balances(client):
        rows = client.fetch_pages("전금-004", "trans_list", limit=9, **balance, **MONTH)
        assert rows == client.fetch_pages("전금-004", "trans_list", **balance, **MONTH)
        longer = client.fetch_pages("전금-004", "trans_list", **balance, **QUARTER)
        assert all(row in longer for row in rows)


@ALL
def test_the_account_is_required_where_there_is_one(build_client, customer):
    client = build_client("efin", customer)
    _, balance = next(list_balances(client))
    for params, code in (({}, "40001"), ({"account_id": "unknown"}, "40402")):
        with pytest.raises(ApiError) as error:
            client("전금-002", fob_id=balance["fob_id"], **params)
        assert error.value.rsp_code == code


def test_balances_and_accounts_fill_several_pages_a_month(build_client):
    client = build_client("efin", CUSTOMERS[0])
    _, balance = next(list_balances(client))
    assert len(client.fetch_pages("전금-004", "trans_list", **balance, **MONTH)) > 40
    assert len(client.fetch_pages("전금-103", "trans_list", sub_key=list_accounts(client)[0]["sub_key"], **MONTH)) > 40
