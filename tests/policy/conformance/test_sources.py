"""Tests of the assets that calls take from earlier answers."""

import pytest

from relay.domain.api import Presence
from relay.domain.ids import INDUSTRIES
from relay.policy.conformance.sources import SOURCES, Condition, StoredAnswer, find_values
from relay.standard.catalogue import load_catalogue

CATALOGUE = load_catalogue()
KNOWN = {"org_code", "limit", "search_timestamp", "from_date", "to_date", "from_month", "to_month", "charge_month"}


def store(api_id, name, *rows, **parameters):
    return {api_id: [StoredAnswer(parameters, {name: list(rows)})]}


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_each_required_parameter_has_a_source(industry):
    for api in CATALOGUE.iter_apis(industry):
        fields = (*api.request.path, *api.request.query, *api.request.body)
        needed = {field.name for field in fields if field.presence is Presence.REQUIRED} - KNOWN - {"client_id"}
        assert needed <= {name for source in SOURCES.get(api.api_id, ()) for name in source.fields}


@pytest.mark.parametrize(("api_id", "sources"), SOURCES.items())
def test_a_source_has_its_fields(api_id, sources):
    assert api_id in CATALOGUE.apis
    for source in sources:
        (rows,) = (field for field in CATALOGUE.apis[source.api_id].response.body if field.name == source.rows)
        inner = {each.name for field in rows.fields for each in field.fields}
        assert {*source.fields, source.condition.field} - {""} <= {field.name for field in rows.fields} | inner


def test_each_asset_with_consent_is_a_call():
    answers = store(
        "은행-001",
        "account_list",
        {"account_num": "1", "account_type": "1001", "is_consent": "true", "seqno": "2"},
        {"account_num": "2", "account_type": "3100", "is_consent": "true"},
        {"account_num": "3", "account_type": "1002", "is_consent": "false"},
        {"account_num": "4", "account_type": "1003", "is_consent": True},
    )
    assert find_values("은행-004", answers, 9) == [{"account_num": "1", "seqno": "2"}, {"account_num": "4"}]
    assert find_values("은행-004", answers, 1) == [{"account_num": "1", "seqno": "2"}]
    assert find_values("은행-010", answers, 9) == [{"account_num": "2"}]


def test_an_api_without_an_asset_is_called_without_values():
    assert find_values("은행-001", {}, 3) == [{}]
    assert find_values("은행-004", {}, 3) == []


def test_the_insured_belongs_to_the_insurance():
    answers = store("보험-001", "insu_list", {"insu_num": "1", "insu_type": "01"}, {"insu_num": "2", "insu_type": "17"})
    answers |= store("보험-002", "insured_list", {"insured_no": "01"}, insu_num="9")
    assert find_values("보험-003", answers, 3) == []
    answers["보험-002"].append(StoredAnswer({"insu_num": "1"}, {"insured_list": [{"insured_no": "02"}]}))
    assert find_values("보험-003", answers, 3) == [{"insu_num": "1", "insured_no": "02"}]


def test_a_value_of_an_inner_list_is_taken():
    row = {"fob_id": "a", "is_charge": "true", "account_list": [{"account_id": "b"}]}
    assert find_values("전금-003", store("전금-001", "fob_list", row), 3) == [{"fob_id": "a", "account_id": "b"}]


def test_lists_and_rows_of_another_kind_are_no_assets():
    answers = {"금투-001": [StoredAnswer({}, {"account_list": None}), StoredAnswer({}, {"account_list": [1, {}]})]}
    assert find_values("금투-002", answers, 3) == []


def test_a_condition_may_exclude():
    assert Condition("kind", ("1", "2")).matches({"kind": "20"})
    assert not Condition("kind", ("1", "2"), is_not=True).matches({"kind": "20"})
