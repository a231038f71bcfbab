"""Card bills: the sum of their items, and only uses of own credit cards."""

from datetime import date
from itertools import pairwise

import pytest
from mydata_sandbox.world.model import CUSTOMERS

ALL = pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
MONTHS = {"from_month": "202512", "to_month": "202611"}


def list_card_ids(client, **filters):
    cards = client("카드-001", limit="500")["card_list"]
    return [card["card_id"] for card in cards if all(card[name] == value for name, value in filters.items())]


@ALL
def test_a_bill_is_the_sum_of_its_items(build_client, customer):
    client = build_client("card", customer)
    bills = client.fetch_pages("카드-004", "bill_list", limit=5, **MONTHS)
    days = [bill["paid_out_date"] for bill in bills]
    assert len(bills) == 12
    assert days == sorted(days, reverse=True)
    for bill in bills:
        rows = client.fetch_pages("카드-005", "bill_detail_list", charge_month=bill["charge_month"])
        total = sum(float(row["paid_amt"]) + int(row["credit_fee_amt"]) for row in rows)
        assert total == int(bill["charge_amt"])
        moments = [row["paid_dtime"].ljust(14, "0") for row in rows]
        assert moments == sorted(moments, reverse=True)


@ALL
def test_only_own_credit_cards_are_billed(build_client, customer):
    client = build_client("card", customer)
    free = {*list_card_ids(client, card_member="2"), *list_card_ids(client, card_type="02")}
    rows = client.fetch_pages("카드-005", "bill_detail_list", charge_month="202611")
    assert not free & {row["card_id"] for row in rows}
    assert {"03", "04", "05"} <= {row["prod_type"] for row in rows}


@ALL
def test_instalments_reduce_their_balance_to_zero(build_client, customer):
    client = build_client("card", customer)
    plans = {}
    for number in range(1, 13):
        for row in client.fetch_pages("카드-005", "bill_detail_list", charge_month=f"2026{number:02d}"):
            in_parts = row["prod_type"] == "02"
            assert in_parts == ("total_install_cnt" in row) == ("cur_install_cnt" in row) == ("balance_amt" in row)
            if in_parts:
                plans.setdefault((row["card_id"], row["paid_dtime"]), []).append(row)
    assert plans
    for rows in plans.values():
        counts = [int(row["cur_install_cnt"]) for row in rows]
        assert counts == list(range(counts[0], counts[0] + len(counts)))
        for row, after in pairwise(rows):
            assert int(row["balance_amt"]) - int(after["balance_amt"]) == float(after["paid_amt"])
        if counts[-1] == int(rows[-1]["total_install_cnt"]):
            assert rows[-1]["balance_amt"] == "0"


@ALL
def test_the_next_payment_is_the_bill_until_its_payment_day(build_client, customer):
    client = build_client("card", customer, today=date(2026, 11, 14))
    [payment] = client("카드-006")["pay_list"]
    [bill] = client("카드-004", from_month="202611", to_month="202611", limit="1")["bill_list"]
    assert payment == {"pay_due_date": bill["paid_out_date"], "pay_amt": bill["charge_amt"]}
