"""Prepaid cards of card companies and banks: charges and payments, from two APIs, add up together."""

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError

ALL = pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
BOTH = pytest.mark.parametrize("industry", ["card", "bank"])
MONTH = {"from_date": "20261020", "to_date": "20261119"}
QUARTER = {"from_date": "20260801", "to_date": "20261119"}
OUTGOING = {"5201", "5202"}


def list_pp_ids(client):
    return [card["pp_id"] for card in client("선불-001", limit="500")["pp_list"]]


@ALL
@BOTH
def test_the_newest_card_comes_first(build_client, customer, industry):
    days = [card["reg_date"] for card in build_client(industry, customer)("선불-001", limit="500")["pp_list"]]
    assert len(days) == 2
    assert days == sorted(days, reverse=True)


@ALL
@BOTH
def test_the_balance_is_money_and_points(build_client, customer, industry):
    client = build_client(industry, customer)
    for pp_id in list_pp_ids(client):
        body = client("선불-002", pp_id=pp_id, search_timestamp="0")
        assert body == client("선불-002", pp_id=pp_id, search_timestamp="0")
        parts = float(body["charge_balance_amt"]) + float(body["reserve_balance_amt"])
        assert parts == float(body["total_balance_amt"]) >= 0


@ALL
@BOTH
def test_charges_and_payments_together_add_up(build_client, customer, industry):
    client = build_client(industry, customer)
    for pp_id in list_pp_ids(client):
        movements = [
            (row["trans_dtime"], float(row["trans_amt"]) * (-1 if row["trans_type"] in OUTGOING else 1), row)
            for row in client.fetch_pages("선불-003", "trans_list", pp_id=pp_id, **QUARTER)
        ]
        assert not any(row["trans_type"] in {"5501", "5502"} for _, _, row in movements)
        for row in client.fetch_pages("선불-004", "approved_list", pp_id=pp_id, **QUARTER):
            price = int(row["approved_amt"])
            movements.append((row["approved_dtime"], -price, {}))
            if "trans_dtime" in row:
                movements.append((row["trans_dtime"], price - int(row.get("modified_amt", 0)), {}))
        # A month starts with the closing balance of the previous one: that of its last remittance.
        total = next(float(row["balance_amt"]) for _, _, row in movements if row.get("trans_type") == "5201")
        checked = 0
        for moment, amount, row in sorted(movements, key=lambda movement: movement[0]):
            total += amount
            if row and [movement[0] for movement in movements].count(moment) == 1:
                assert float(row["balance_amt"]) == total
                checked += 1
        assert checked
        assert total == float(client("선불-002", pp_id=pp_id)["total_balance_amt"])


@ALL
@BOTH
@pytest.mark.parametrize(("api_id", "list_name"), [("선불-003", "trans_list"), ("선불-004", "approved_list")])
def test_pages_are_complete_and_periods_agree(build_client, customer, industry, api_id, list_name):
    client = build_client(industry, customer)
    for pp_id in list_pp_ids(client):
        rows = client.fetch_pages(api_id, list_name, limit=6, pp_id=pp_id, **MONTH)
        assert rows == client.fetch_pages(api_id, list_name, pp_id=pp_id, **MONTH)
        longer = client.fetch_pages(api_id, list_name, pp_id=pp_id, **QUARTER)
        assert all(row in longer for row in rows)


@ALL
def test_conditional_fields_of_payments(build_client, customer):
    for industry in ("card", "bank"):
        client = build_client(industry, customer)
        rows = client.fetch_pages("선불-004", "approved_list", pp_id=list_pp_ids(client)[0], **QUARTER)
        assert len({row["approved_num"] for row in rows}) == len(rows)
        for row in rows:
            assert ("trans_dtime" in row) == (row["status"] in {"02", "03"})
            assert ("modified_amt" in row) == (row["status"] == "03")
            assert ("merchant_name" in row) == (industry == "card")


@BOTH
def test_the_card_of_another_customer_is_rejected(build_client, industry):
    other_card = list_pp_ids(build_client(industry, CUSTOMERS[1]))[0]
    with pytest.raises(ApiError) as error:
        build_client(industry, CUSTOMERS[0])("선불-002", pp_id=other_card)
    assert error.value.rsp_code == "40402"
