"""Rows against the call; `test_answer_rules` has the table of spoilt answers."""

import pytest

from relay.policy.answers.row_rules import RowRules
from relay.policy.answers.rules import Rule
from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis


def check(api_id, members, **parameters):
    found = []
    RowRules(APIS[api_id]).check(members, parameters, lambda rule, field: found.append((rule, field)))
    return found


def test_months_are_compared_with_months():
    rows = {"trans_list": [{"trans_month": "202611"}, {"trans_month": "202610"}]}
    assert check("통신-003", rows, from_month="202610", to_month="202611") == []
    assert check("통신-003", rows, from_month="202611", to_month="202611") == [
        (Rule.PERIOD, "trans_list[].trans_month")
    ]


def test_times_are_compared_with_days():
    rows = {"trans_list": [{"trans_date": "20261130235959"}]}
    assert check("통신-004", rows, from_date="20261101", to_date="20261130") == []


def test_products_without_their_day_have_no_place_in_the_order():
    rows = {"irp_list": [{"open_date": "20260102"}, {}, {"open_date": "20260101"}]}
    assert check("IRP-003", rows) == []


@pytest.mark.parametrize("rows", [None, "a", ["a"], [{}], [{"trans_dtime": None}]])
def test_rows_that_cannot_be_read_break_no_rule_here(rows):
    assert check("은행-004", {"trans_list": rows}, from_date="20261101", to_date="20261130", limit="a") == []


def test_an_api_without_pages_has_no_limit():
    assert check("은행-002", {"basic_list": [{}] * 3}, limit="1", next_page="a") == []


def test_the_round_of_an_account_is_part_of_the_asset():
    rows = {"basic_list": [{"seqno": "002"}]}
    assert check("은행-002", rows, account_num="1", seqno="001") == [(Rule.ASSET, "basic_list[].seqno")]
    assert check("은행-002", rows, account_num="1") == []
