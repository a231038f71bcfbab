"""Guarantee insurance: the premiums paid are parts of the whole, names are masked."""

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError

ALL = pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
WHOLE_PERIOD = {"from_date": "20200101", "to_date": "20261119"}


def list_numbers(client):
    return [contract["insu_num"] for contract in client("보증보험-001", limit="500")["insu_list"]]


@ALL
def test_premiums_paid_are_parts_of_the_whole(build_client, customer):
    client = build_client("ginsu", customer)
    for number in list_numbers(client):
        basic = client("보증보험-002", insu_num=number)
        rows = client.fetch_pages("보증보험-003", "trans_list", limit=1, insu_num=number, **WHOLE_PERIOD)
        assert rows == client.fetch_pages("보증보험-003", "trans_list", insu_num=number, **WHOLE_PERIOD)
        assert rows[-1]["trans_date"] == basic["issue_date"]
        assert [row["paid_in_cnt"] for row in rows] == [str(count) for count in range(len(rows), 0, -1)]
        paid = sum(int(row["paid_amt"]) for row in rows)
        assert paid == int(basic["pay_amt"]) if basic["pay_due"] == "01" else paid <= int(basic["pay_amt"])


@ALL
def test_contracts_are_in_force_and_names_are_masked(build_client, customer):
    client = build_client("ginsu", customer)
    for number in list_numbers(client):
        basic = client("보증보험-002", insu_num=number)
        assert basic["issue_date"] <= "20261120" < basic["exp_date"]
        assert all("*" in insured["insured_name"] for insured in basic["insured_list"])


@ALL
def test_a_shorter_period_returns_part_of_a_longer_one(build_client, customer):
    client = build_client("ginsu", customer)
    for number in list_numbers(client):
        rows = client.fetch_pages("보증보험-003", "trans_list", insu_num=number, **WHOLE_PERIOD)
        for row in rows:
            day = {"from_date": row["trans_date"], "to_date": row["trans_date"]}
            assert client.fetch_pages("보증보험-003", "trans_list", insu_num=number, **day) == [row]


def test_an_unknown_contract_is_rejected(build_client):
    with pytest.raises(ApiError) as error:
        build_client("ginsu", CUSTOMERS[0])("보증보험-002", insu_num="0")
    assert error.value.rsp_code == "40402"
