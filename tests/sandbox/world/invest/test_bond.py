"""Acquired debts and money lending: creditors named, and repayments that add up."""

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError

ALL = pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
BOTH = pytest.mark.parametrize("industry", ["bond", "usury"])
WHOLE_PERIOD = {"from_date": "20180101", "to_date": "20261119"}
QUARTER = {"from_date": "20260820", "to_date": "20261119"}
TRANSFERRED = {"01", "03"}


def list_debts(client):
    return client("채권-001", limit="500")["bond_list"]


@ALL
@BOTH
def test_creditors_are_named_by_the_kind_of_debt(build_client, customer, industry):
    client = build_client(industry, customer)
    for debt in list_debts(client):
        detail = client("채권-002", bond_num=debt["bond_num"])
        assert ("init_org_code" in debt) == (debt["bond_type"] not in TRANSFERRED)
        assert ("prev_org_code" in detail) == (debt["bond_type"] in TRANSFERRED)
        plain = debt["bond_type"] == "02" and detail["is_debt_mgmt"] == "false"
        assert ("repay_method" in detail) == plain


@ALL
@BOTH
def test_repayments_add_up_to_the_balance(build_client, customer, industry):
    client = build_client(industry, customer)
    for debt in list_debts(client):
        bond_num = debt["bond_num"]
        rows = client.fetch_pages("채권-003", "trans_list", limit=4, bond_num=bond_num, **WHOLE_PERIOD)
        assert rows == client.fetch_pages("채권-003", "trans_list", bond_num=bond_num, **WHOLE_PERIOD)
        assert len({row["trans_no"] for row in rows}) == len(rows)
        detail = client("채권-002", bond_num=bond_num)
        paid_back = sum(float(row["principal_amt"]) for row in rows)
        assert int(detail["bond_principal"]) - paid_back == int(detail["balance_amt"])
        assert rows[0]["balance_amt"] == detail["balance_amt"]
        assert all(float(row["principal_amt"]) + float(row["int_amt"]) == int(row["trans_amt"]) for row in rows)
        shorter = client.fetch_pages("채권-003", "trans_list", bond_num=bond_num, **QUARTER)
        assert shorter == rows[: len(shorter)]


def test_each_industry_has_its_own_kinds(build_client):
    kinds = {
        industry: {debt["bond_type"] for debt in list_debts(build_client(industry, CUSTOMERS[0]))}
        for industry in ("bond", "usury")
    }
    assert kinds == {"bond": {"01", "03", "04"}, "usury": {"02"}}


def test_an_unknown_debt_is_rejected(build_client):
    with pytest.raises(ApiError) as error:
        build_client("bond", CUSTOMERS[0])("채권-002", bond_num="채권")
    assert error.value.rsp_code == "40402"
