"""A telecom company: payments match bills, and a bill is the fee and the purchases."""

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError

ALL = pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
MONTH = {"from_date": "20261020", "to_date": "20261119"}
MONTHS = {"from_month": "202512", "to_month": "202611"}


def list_contracts(client):
    return client("통신-001", limit="500")["telecom_list"]


@ALL
def test_every_customer_has_a_mobile_phone_with_a_masked_number(build_client, customer):
    rows = list_contracts(build_client("telecom", customer))
    assert "01" in {row["type"] for row in rows}
    assert all("*" in row["telecom_num"] for row in rows)
    assert rows == list_contracts(build_client("telecom", customer))


@ALL
def test_payments_are_the_bills_that_were_due(build_client, customer):
    client = build_client("telecom", customer)
    for contract in list_contracts(client):
        rows = client("통신-003", mgmt_id=contract["mgmt_id"], **MONTHS)["trans_list"]
        assert len(rows) in {11, 12}
        for row in rows:
            bill = client("통신-002", mgmt_id=contract["mgmt_id"], charge_month=row["trans_month"])
            assert bill["charge_amt"] == row["paid_amt"]
            assert bill["charge_date"] < "20261120"


@ALL
def test_a_bill_is_the_fee_and_last_months_purchases(build_client, customer):
    client = build_client("telecom", customer)
    for contract in list_contracts(client):
        fees = set()
        for month, days in (("202609", ("20260801", "20260831")), ("202610", ("20260901", "20260930"))):
            window = dict(zip(("from_date", "to_date"), days, strict=True))
            rows = client.fetch_pages("통신-004", "trans_list", mgmt_id=contract["mgmt_id"], **window)
            bill = client("통신-002", mgmt_id=contract["mgmt_id"], charge_month=month)
            fees.add(int(bill["charge_amt"]) - sum(int(row["trans_amt"]) for row in rows))
        assert len(fees) == 1
        assert fees.pop() > 10_000


@ALL
def test_purchases_are_complete_in_pages_and_longer_periods(build_client, customer):
    client = build_client("telecom", customer)
    for contract in list_contracts(client):
        rows = client.fetch_pages("통신-004", "trans_list", limit=8, mgmt_id=contract["mgmt_id"], **MONTH)
        assert rows == client.fetch_pages("통신-004", "trans_list", mgmt_id=contract["mgmt_id"], **MONTH)
        wide = {"from_date": "20260601", "to_date": "20261119"}
        longer = client.fetch_pages("통신-004", "trans_list", mgmt_id=contract["mgmt_id"], **wide)
        assert all(row in longer for row in rows)


def test_a_cancelled_purchase_has_a_negative_row(build_client):
    client = build_client("telecom", CUSTOMERS[2])
    rows = client.fetch_pages(
        "통신-004", "trans_list", mgmt_id=list_contracts(client)[0]["mgmt_id"], from_date="20260801", to_date="20261031"
    )
    cancellations = [row for row in rows if row["trans_amt"].startswith("-")]
    assert cancellations
    assert all(any(row["trans_amt"] == cancellation["trans_amt"][1:] for row in rows) for cancellation in cancellations)
    assert len(rows) > 120


def test_a_future_bill_is_zero(build_client):
    client = build_client("telecom", CUSTOMERS[0])
    assert client("통신-002", mgmt_id=list_contracts(client)[0]["mgmt_id"], charge_month="202612")["charge_amt"] == "0"


def test_unknown_contracts_and_invalid_months_are_rejected(build_client):
    client = build_client("telecom", CUSTOMERS[0])
    for params, code in (({"mgmt_id": "1"}, "40402"), ({"mgmt_id": list_contracts(client)[0]["mgmt_id"]}, "40001")):
        with pytest.raises(ApiError) as error:
            client("통신-002", charge_month="202613", **params)
        assert error.value.rsp_code == code
