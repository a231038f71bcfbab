"""Scheduled calls are one transfer if consent, API and what they ask for are the same."""

import pytest

from relay.policy.quota.transfer_rule import compile_transfer_rule
from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis
CALL = {"org_code": "ZBAA000001", "account_num": "110", "from_date": "20270101", "to_date": "20270131", "limit": "10"}


def rule(api_id="은행-004"):
    return compile_transfer_rule(APIS[api_id])


@pytest.mark.parametrize(
    ("api_id", "fields"),
    [
        ("은행-001", ()),
        ("은행-002", ("account_num", "seqno")),
        ("은행-004", ("account_num", "seqno")),
        ("카드-002", ("card_id",)),
        ("카드-003", ()),
        ("카드-004", ()),
        ("카드-005", ("seqno", "charge_month")),
        ("보험-003", ("insu_num", "insured_no")),
        ("보험-007", ("insu_num", "car_number")),
        ("전금-004", ("fob_id", "account_id")),
        ("통신-002", ("mgmt_id", "charge_month")),
        ("IRP-004", ("account_num",)),
    ],
)
def test_the_fields_that_choose_the_data_tell_transfers_apart(api_id, fields):
    assert rule(api_id).fields == fields


def test_every_asset_is_one_of_the_fields():
    apis = [api for api in APIS.values() if api.asset is not None]
    assert all({api.asset.field, api.asset.seqno} - {""} <= set(compile_transfer_rule(api).fields) for api in apis)
    assert len(apis) > 40


@pytest.mark.parametrize("api_id", ["정보제공-공통-001", "정보제공-공통-002"])
def test_apis_that_the_relay_answers_have_no_quota(api_id):
    assert rule(api_id) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"from_date": "20270201", "to_date": "20270228"},
        {"next_page": "cursor"},
        {"limit": "500"},
        {"seqno": ""},
        {"extra": "1"},
        {"account_num": 110},
    ],
)
def test_a_call_for_another_page_or_period_is_the_same_transfer(changed):
    assert rule().describe(b"consent", CALL | changed) == rule().describe(b"consent", CALL)


@pytest.mark.parametrize(
    "changed",
    [{"account_num": "111"}, {"seqno": "1"}, {"account_num": ["110"]}, {"account_num": "11", "seqno": "0"}],
)
def test_a_call_for_another_asset_is_another_transfer(changed):
    assert rule().describe(b"consent", CALL | changed) != rule().describe(b"consent", CALL)


def test_consents_and_apis_have_transfers_of_their_own():
    descriptions = {
        rule(api_id).describe(consent, CALL) for api_id in ("은행-003", "은행-004") for consent in (b"a", b"b")
    }
    assert len(descriptions) == 4


def test_no_value_can_pretend_to_be_two():
    asset = {"account_num": "1", "seqno": "2"}
    forged = {"account_num": "11:2"}
    assert rule().describe(b"consent", asset) != rule().describe(b"consent", forged)


def test_any_value_of_json_has_a_description():
    for value in (None, True, 1.5, {"a": []}, "\ud800", "한글"):
        assert rule().describe(b"consent", CALL | {"account_num": value})


@pytest.mark.parametrize(
    ("api_id", "values", "expected"),
    [
        ("은행-004", {"next_page": "2"}, True),
        ("은행-004", {"next_page": ""}, False),
        ("은행-004", {}, False),
        ("은행-002", {"next_page": "2"}, False),  # has no pages
    ],
)
def test_a_call_with_a_cursor_is_a_continuation(api_id, values, expected):
    assert rule(api_id).is_continuation(values) is expected
