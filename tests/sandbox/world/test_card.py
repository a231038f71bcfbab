"""A card house: every answer true to the catalogue, bills the sum of their lines, approvals the same in any window."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from relay.sandbox.world.model import CUSTOMERS, Absent

ALL = pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
MONTH = {"from_date": "20261020", "to_date": "20261119"}
QUARTER = {"from_date": "20260820", "to_date": "20261119"}
MONTHS = {"from_month": "202512", "to_month": "202611"}


def card_ids(tell, **like):
    cards = tell("카드-001", limit="500")["card_list"]
    return [card["card_id"] for card in cards if all(card[name] == value for name, value in like.items())]


@ALL
def test_everyone_has_credit_check_and_family_cards_in_order(teller, customer):
    cards = teller("card", customer)("카드-001", limit="500")["card_list"]
    kinds = [card["card_type"] for card in cards]
    assert kinds == sorted(kinds)
    assert {("01", "1"), ("01", "2"), ("02", "1")} <= {(card["card_type"], card["card_member"]) for card in cards}
    assert all("*" in card["card_num"] for card in cards)


@ALL
def test_what_needs_no_asset_is_told_and_told_again(teller, customer):
    tell = teller("card", customer)
    for api_id in ("카드-003", "카드-006", "카드-007", "카드-010", "카드-011", "카드-012"):
        body = tell(api_id, search_timestamp="0")
        assert body == tell(api_id, search_timestamp="0")
        assert not any(value == [] for value in body.values())
    assert tell("카드-006")["is_revolving"] == "true"
    assert set(tell("카드-010")) >= {"is_loan_short_term", "is_loan_long_term"}


@ALL
def test_basics_are_told_of_every_card_and_of_no_other(teller, customer):
    tell = teller("card", customer)
    for card_id in card_ids(tell):
        assert tell("카드-002", card_id=card_id)["issue_date"] > f"{customer.since:%Y%m%d}"
    with pytest.raises(Absent) as absent:
        tell("카드-002", card_id="f" * 64)
    assert (absent.value.status, absent.value.rsp_code) == (404, "40402")


@ALL
@pytest.mark.parametrize("api_id", ["카드-008", "카드-009"])
def test_approvals_are_whole_in_pages_and_in_wider_windows(teller, customer, api_id):
    tell = teller("card", customer)
    for card_id in card_ids(tell):
        rows = tell.pages(api_id, "approved_list", limit=7, card_id=card_id, **MONTH)
        assert rows == tell.pages(api_id, "approved_list", card_id=card_id, **MONTH)
        moments = [row["approved_dtime"] for row in rows]
        assert moments == sorted(moments, reverse=True)
        wider = tell.pages(api_id, "approved_list", card_id=card_id, **QUARTER)
        assert all(row in wider for row in rows)
        assert len({row["approved_num"] for row in wider}) == len(wider)


@ALL
def test_conditional_fields_of_approvals_follow_their_conditions(teller, customer):
    tell = teller("card", customer)
    rows = []
    for card_id in card_ids(tell):
        for api_id in ("카드-008", "카드-009"):
            rows += tell.pages(api_id, "approved_list", card_id=card_id, **QUARTER)
    for row in rows:
        assert ("trans_dtime" in row) == (row["status"] in {"02", "03"})
        assert ("modified_amt" in row) == (row["status"] == "03")
        happened = {row["approved_dtime"][:8], row.get("trans_dtime", row["approved_dtime"])[:8]}
        assert any("20260820" <= day <= "20261119" for day in happened)
    assert {row["status"] for row in rows} == {"01", "02", "03"}


def test_a_busy_card_fills_pages_of_a_month(teller):
    tell = teller("card", CUSTOMERS[0])
    assert len(tell.pages("카드-008", "approved_list", card_id=card_ids(tell)[0], **MONTH)) > 40


@ALL
def test_a_bill_is_the_sum_of_its_lines(teller, customer):
    tell = teller("card", customer)
    bills = tell.pages("카드-004", "bill_list", limit=5, **MONTHS)
    days = [bill["paid_out_date"] for bill in bills]
    assert len(bills) == 12
    assert days == sorted(days, reverse=True)
    for bill in bills:
        rows = tell.pages("카드-005", "bill_detail_list", charge_month=bill["charge_month"])
        total = sum(float(row["paid_amt"]) + int(row["credit_fee_amt"]) for row in rows)
        assert total == int(bill["charge_amt"])
        moments = [row["paid_dtime"].ljust(14, "0") for row in rows]
        assert moments == sorted(moments, reverse=True)


@ALL
def test_only_own_credit_comes_on_the_bill(teller, customer):
    tell = teller("card", customer)
    free = {*card_ids(tell, card_member="2"), *card_ids(tell, card_type="02")}
    rows = tell.pages("카드-005", "bill_detail_list", charge_month="202611")
    assert not free & {row["card_id"] for row in rows}
    assert {"03", "04", "05"} <= {row["prod_type"] for row in rows}


@ALL
def test_parts_of_a_big_thing_run_down_to_nothing(teller, customer):
    tell = teller("card", customer)
    things = {}
    for number in range(1, 13):
        for row in tell.pages("카드-005", "bill_detail_list", charge_month=f"2026{number:02d}"):
            in_parts = row["prod_type"] == "02"
            assert in_parts == ("total_install_cnt" in row) == ("cur_install_cnt" in row) == ("balance_amt" in row)
            if in_parts:
                things.setdefault((row["card_id"], row["paid_dtime"]), []).append(row)
    assert things
    for rows in things.values():
        counts = [int(row["cur_install_cnt"]) for row in rows]
        assert counts == list(range(counts[0], counts[0] + len(counts)))
        for row, after in pairwise(rows):
            assert int(row["balance_amt"]) - int(after["balance_amt"]) == float(after["paid_amt"])
        if counts[-1] == int(rows[-1]["total_install_cnt"]):
            assert rows[-1]["balance_amt"] == "0"


@ALL
def test_the_coming_payment_is_the_bill_until_its_pay_day(teller, customer):
    tell = teller("card", customer, today=date(2026, 11, 14))
    [payment] = tell("카드-006")["pay_list"]
    [bill] = tell("카드-004", from_month="202611", to_month="202611", limit="1")["bill_list"]
    assert payment == {"pay_due_date": bill["paid_out_date"], "pay_amt": bill["charge_amt"]}


@ALL
def test_there_is_money_borrowed_on_any_day(teller, customer):
    for days in range(0, 800, 11):
        tell = teller("card", customer, today=date(2025, 1, 1) + timedelta(days=days))
        [revolving] = tell("카드-007")["revolving_list"]
        assert int(revolving["remained_amt"]) > 0
        assert tell("카드-011")["short_term_list"]
        [loan] = tell("카드-012")["long_term_list"]
        assert 0 < float(loan["balance_amt"]) <= float(loan["loan_amt"])
