"""The loader of the standard's data, and invariants of the data."""

import dataclasses
import time

import pytest
import yaml

from relay.domain.api import Presence, SortKey
from relay.domain.fault import FAULTS
from relay.domain.ids import INDUSTRIES
from relay.standard.catalogue import (
    CatalogueError,
    build_catalogue,
    load_catalogue,
    load_oauth_errors,
    load_rsp_codes,
    parse_api,
    parse_mapping,
    parse_status,
)

SCOPES = {
    "bank": "list deposit invest loan irp prepaid",
    "card": "list card point bill loan prepaid",
    "invest": "list account irp",
    "insu": "list insurance loan irp",
    "efin": "list prepaid paid",
    "capital": "list loan",
    "ginsu": "list insurance",
    "telecom": "list mgmt",
    "p2p": "list lending",
    "bond": "list bond",
    "usury": "list bond",
}
KNOWN = {f"{industry}.{word}" for industry, words in SCOPES.items() for word in words.split()}

THREE_MONTHS = {
    *("은행-010", "보험-006", "보험-007", "보험-011", "할부금융-004", "할부금융-006", "보증보험-003", "P2P-004"),
    *("채권-003", "카드-004", "통신-003"),
}


def iter_nested(fields):
    for field in fields:
        yield field
        yield from iter_nested(field.fields)


def iter_fields(api):
    for message in (api.request, api.response):
        yield from iter_nested(message.header + message.path + message.query + message.body)


def build_api(**changed):
    data = {
        "name": "이름", "name_en": "name", "method": "GET", "resource": "/x", "industries": ["bank"], "cycle": "basic",
        "request": {"query": {"limit": "N(3) | Y | 최대조회갯수"}}, "response": {},
    }  # fmt: skip
    return parse_api("시험-001", data | changed, {})


def test_there_are_5_authentication_76_data_and_10_support_apis():
    apis = load_catalogue().apis.values()
    assert sum("인증-" in api.api_id for api in apis) == 5
    assert sum(1 for _ in load_catalogue().iter_data_apis()) == 76
    assert sum(api.api_id.startswith("지원-") for api in apis) == 10


def test_the_industries_offer_107_apis_together():
    assert sum(1 for industry in INDUSTRIES for _ in load_catalogue().iter_apis(industry)) == 107


def test_every_api_code_belongs_to_one_api():
    codes = [api.api_code for api in load_catalogue().apis.values() if api.api_code]
    assert len(codes) == len(set(codes)) == 81


def test_method_and_path_tell_data_apis_apart():
    keys = [
        (api.method, api.path_for(industry))
        for industry in INDUSTRIES
        for api in load_catalogue().iter_apis(industry, later=True)
    ]
    assert len(keys) == len(set(keys)) == 111


def test_every_scope_is_in_the_scope_table():
    for api in load_catalogue().iter_data_apis():
        for industry in api.industries + api.later:
            assert api.scope_for(industry) in KNOWN or api.api_id == "정보제공-공통-001"
    assert {api.scope for api in load_catalogue().apis.values() if api.api_id.startswith("지원-")} == {"", "manage"}


def test_every_scope_of_the_table_belongs_to_an_api():
    scopes = {
        api.scope_for(industry)
        for industry in INDUSTRIES
        for api in load_catalogue().iter_apis(industry, later=True)
        if api.scope
    }
    assert scopes == KNOWN


def test_every_conditional_field_has_its_condition():
    incomplete = [
        (api.api_id, field.name)
        for api in load_catalogue().apis.values()
        for field in iter_fields(api)
        if field.presence is Presence.CONDITIONAL and not field.condition
    ]
    assert incomplete == []


def test_every_list_has_its_count_beside_it():
    def uncounted(fields):
        names = {field.name for field in fields}
        for field in fields:
            if field.type == "array" and field.name.replace("_list", "_cnt") not in names:
                yield field.name
            yield from uncounted(field.fields)

    apis = load_catalogue().apis.values()
    assert [name for api in apis for side in (api.request, api.response) for name in uncounted(side.body)] == []


def test_code_tables_fit_the_length_of_their_field():
    for api in load_catalogue().apis.values():
        for field in iter_fields(api):
            assert all(len(code) <= int(field.length) for code in field.codes)


def test_periods_follow_the_fields_and_the_exceptions_of_3_3_2():
    for api in load_catalogue().apis.values():
        names = {field.name for field in api.request.query + api.request.body}
        assert (api.period is not None) == bool(names & {"from_date", "from_month"})
        if api.period:
            assert (api.period.start.replace("from", "to"), {api.period.start}) == (
                api.period.end,
                names & {"from_date", "from_month"},
            )
            months = 3 if api.api_id in THREE_MONTHS else 0
            assert (api.period.scheduled_months, api.period.scheduled_days) == (months, 0 if months else 31)


def test_rows_of_every_period_lie_in_it_by_a_day_or_month():
    for api in load_catalogue().apis.values():
        if api.period:
            types = {field.name: (field.type, field.length) for field in api.rows.fields}
            kinds = {types[name][0] for name in api.period.rows}
            assert kinds <= {"DATE", "DTIME", "DTIME|DATE"} or {types[name] for name in api.period.rows} == {("N", "6")}


def test_transactions_are_sorted_by_time_newest_first():
    ordered = {api.api_id: api.order for api in load_catalogue().apis.values() if api.order}
    assert len(ordered) == 29
    assert {api.api_id for api in load_catalogue().apis.values() if api.period} <= set(ordered)
    assert ordered["은행-004"] == (SortKey("trans_dtime", is_descending=True),)
    assert ordered["은행-001"] == (
        SortKey("account_type", is_descending=False),
        SortKey("account_num", is_descending=False),
    )


@pytest.mark.parametrize("changed", [{"order": ["-trans_dtime"]}, {"order": ["limit"]}])
def test_an_order_names_members_of_the_rows(changed):
    with pytest.raises(CatalogueError, match="the rows of the response have no"):
        build_api(**changed)


def test_only_lists_and_card_summaries_name_no_asset():
    def has_no_asset(api):
        return api.asset is None and api.scope and not api.scope.endswith(".list")

    api_ids = {api.api_id for api in load_catalogue().apis.values() if api.industries and has_no_asset(api)}
    assert api_ids == {"카드-003", *(f"카드-{number:03}" for number in (4, 5, 6, 7, 10, 11, 12))}


def test_every_asset_is_a_required_field_and_never_of_a_list():
    for api in load_catalogue().apis.values():
        if api.asset:
            fields = {field.name: field.presence for field in api.request.path + api.request.query + api.request.body}
            assert fields[api.asset.field] is Presence.REQUIRED
            assert (api.asset.seqno == "seqno") == ("seqno" in fields)
            assert not api.scope.endswith(".list")


def test_the_apis_of_one_scope_have_one_asset_rule():
    assets = {}
    for api in load_catalogue().iter_data_apis():
        if api.asset:
            assert assets.setdefault((api.scope, api.industries), api.asset) == api.asset


def test_content_types_follow_the_standard():
    apis = load_catalogue().apis
    assert apis["은행-001"].request.content_type == ""
    assert apis["은행-004"].request.content_type == "application/json; charset=UTF-8"
    assert apis["개별인증-002"].request.content_type == "application/x-www-form-urlencoded"
    assert apis["개별인증-001"].response.content_type == ""
    assert {api.response.content_type for api in load_catalogue().iter_data_apis()} == {
        "application/json; charset=UTF-8"
    }


def test_every_fault_has_a_code_of_the_table_and_its_status():
    codes = load_rsp_codes()
    assert {name: codes[fault.rsp_code].http for name, fault in FAULTS.items()} == {
        name: fault.status for name, fault in FAULTS.items()
    }


def test_codes_begin_with_their_status_and_none_is_withdrawn():
    codes = load_rsp_codes()
    assert len(codes) == 33
    assert {"40404", "42902"}.isdisjoint(codes)
    assert all(code.startswith(str(row.http)) for code, row in codes.items() if row.http != 200)


def test_oauth_errors_are_those_of_the_two_tables():
    errors = load_oauth_errors()
    assert {(row.http, row.error) for row in errors["token"]} == {
        *((400, f"invalid_{name}") for name in ("request", "client", "grant", "scope")),
        (400, "unauthorized_client"), (400, "unsupported_grant_type"), (400, "unauthorized_user"),
        (405, "method_not_allowed"), (500, "server_error"), (503, "temporarily_unavailable"),
    }  # fmt: skip
    assert [row.http for row in errors["authorize"] if row.error == "invalid_request"] == [400, 302]
    assert all(len(row.error) <= 30 for rows in errors.values() for row in rows)


def test_the_standard_is_read_within_a_second():
    start = time.process_time()
    load_catalogue.__wrapped__()
    assert time.process_time() - start < 1.0  # 0.06 s on a quiet machine; a pure-Python reader would take 0.5 s
    assert load_catalogue() is load_catalogue()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"colour": "red"}, "unknown key colour"),
        ({"method": "PUT"}, "not PUT"),
        ({"industries": ["banc"]}, "unknown industry banc"),
        ({"api_code": 12}, "must be strings"),
        ({"cycle": "daily"}, "시험-001: unknown cycle daily"),
        ({"industries": []}, "have a cycle"),
        ({"request": {"header": "unknown"}}, "unknown header group unknown"),
        ({"request": {"cookie": {}}}, "unknown key cookie"),
        ({"request": []}, "a mapping is expected"),
        ({"request": {"query": {"x": "aN(10) | 기관코드"}}}, "a row has the form"),
        ({"request": {"query": {"x": "aN(10) | maybe | 이름"}}}, "a row has the form"),
        ({"request": {"query": {"x": "XN(10) | Y | 이름"}}}, "unknown type XN"),
        ({"request": {"query": {"x": "aN | Y | 이름"}}}, "cannot have length none"),
        ({"request": {"query": {"x": "F(18) | Y | 이름"}}}, "cannot have length 18"),
        ({"request": {"query": {"x": "Boolean(5) | Y | 이름"}}}, "cannot have length 5"),
        ({"request": {"query": {"x": "aN(10) | C | 이름"}}}, "needs its condition"),
        ({"request": {"query": {"x": {"row": "aN(2) | Y | 이름", "codes": {1: "하나"}}}}}, "codes must be strings"),
        ({"request": {"query": {"x": {"row": "array | Y | 목록"}}}}, "have fields"),
        ({"period": {"start": "from_date", "end": "to_date", "scheduled_days": 31}}, "a period needs"),
        ({"period": {"start": "limit", "end": "limit"}}, "a period needs"),
        ({"asset": {"field": "account_num"}}, "시험-001.asset: an asset needs"),
        ({"asset": {"field": "limit", "seqno": "seqno"}}, "an asset needs"),
        ({"asset": {"seqno": "limit"}}, "an asset needs"),
        ({"asset": {"field": "limit", "colour": "red"}}, "unknown key colour"),
    ],
)
def test_invalid_data_are_refused_with_their_place(changed, words):
    with pytest.raises(CatalogueError, match=words):
        build_api(**changed)


def test_an_api_without_response_is_refused():
    with pytest.raises(CatalogueError, match="시험-001: missing method, name_en, request, resource, response"):
        parse_api("시험-001", {"name": "이름"}, {})


def test_a_duplicate_id_or_code_is_refused():
    with pytest.raises(CatalogueError, match="duplicate api_id 시험-001"):
        build_catalogue([build_api(), build_api()])
    other = dataclasses.replace(build_api(api_code="XX01"), api_id="시험-002")
    with pytest.raises(CatalogueError, match="duplicate api_code XX01 of 시험-001 and 시험-002"):
        build_catalogue([build_api(api_code="XX01"), other])


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "a: {'01': x, '01': y}\n"])
def test_a_duplicate_key_is_refused(text):
    with pytest.raises(CatalogueError, match="duplicate key"):
        parse_mapping(text)


@pytest.mark.parametrize("text", ["- a\n", ""])
def test_a_file_that_is_not_a_mapping_is_refused(text):
    with pytest.raises(CatalogueError, match="mapping"):
        parse_mapping(text)


def test_yaml_that_makes_objects_is_refused():
    with pytest.raises(yaml.YAMLError):
        parse_mapping("a: !!python/object/apply:os.getcwd []\n")


def test_a_code_row_without_its_status_is_refused():
    with pytest.raises(CatalogueError, match="40001"):
        parse_status("40001", "요청 파라미터 오류")
