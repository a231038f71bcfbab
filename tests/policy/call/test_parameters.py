"""Validation of requests against the catalogue."""

import gc
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.fault import Refusal
from relay.policy.call.parameters import compile_parameter_check, compile_usual_check
from relay.policy.settings.scalars import Checking
from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis
TRANSACTIONS = {
    "org_code": "A1AAAE0000",
    "account_num": "1234567890",
    "from_date": "20240101",
    "to_date": "20240131",
    "limit": "500",
}
BILLS = {"org_code": "D1AAAE0000", "from_month": "202401", "to_month": "202403", "limit": "10"}
CHECKS = {
    (api_id, checking): compile_parameter_check(APIS[api_id], checking)
    for api_id in ("은행-001", "은행-002", "은행-004", "카드-004", "지원-104", "지원-005", "채권-003")
    for checking in Checking
}


def refusal(api_id, parameters, checking=Checking.STRICT):
    try:
        CHECKS[api_id, checking](parameters)
    except Refusal as refused:
        return refused.fault.name, refused.detail
    return None


def without(parameters, *names):
    return {name: value for name, value in parameters.items() if name not in names}


@pytest.mark.parametrize("checking", Checking)
def test_a_valid_request_passes(checking):
    assert refusal("은행-004", TRANSACTIONS, checking) is None
    assert refusal("은행-004", TRANSACTIONS | {"seqno": "001", "next_page": "MQ_-="}, checking) is None
    assert refusal("카드-004", BILLS, checking) is None


@pytest.mark.parametrize("checking", Checking)
def test_numbers_of_older_operators_pass(checking):
    assert refusal("은행-004", TRANSACTIONS | {"limit": 500, "from_date": 20240101}, checking) is None


@pytest.mark.parametrize("checking", Checking)
def test_unknown_fields_pass(checking):
    assert refusal("은행-004", TRANSACTIONS | {"novelty": None, "more": [1]}, checking) is None


@pytest.mark.parametrize("checking", Checking)
@pytest.mark.parametrize("name", ["Account_Num", "ORG_CODE", "org.code", "+org_code", "limit[0]", "ｌimit", "nextPage"])
def test_a_name_that_resembles_a_parameter_is_refused(checking, name):
    fault, detail = refusal("은행-004", TRANSACTIONS | {name: "1"}, checking)
    assert fault == "parameter_ambiguous"
    assert detail in {*TRANSACTIONS, "next_page"}


@pytest.mark.parametrize("checking", Checking)
def test_names_within_lists_are_checked(checking):
    day = {"stat_date": "20240101", "mydata_svc_cnt": "1", "mydata_svc_list": [{"Client_Id": "x"}]}
    request = {"type": "1", "inquiry_date": "20240107", "stat_date_cnt": "1", "stat_date_list": [day]}
    assert refusal("지원-005", request, checking) == ("parameter_ambiguous", "client_id")


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("org_code", "org_code (aN(10))"),
        ("account_num", "account_num (aN(20))"),
        ("from_date", "from_date (DATE, YYYYMMDD)"),
        ("to_date", "to_date (DATE, YYYYMMDD)"),
        ("limit", "limit (1-500)"),
    ],
)
def test_a_missing_required_field_is_refused(name, detail):
    assert refusal("은행-004", without(TRANSACTIONS, name)) == ("parameter_missing", detail)


MALFORMED = [
    ("limit", "0", "limit (1-500)"),
    ("limit", "501", "limit (1-500)"),
    ("limit", "-1", "limit (1-500)"),
    ("limit", "0500", "limit (1-500)"),
    ("limit", 501, "limit (1-500)"),
    ("limit", True, "limit (1-500)"),
    ("limit", 1.5, "limit (1-500)"),
    ("limit", None, "limit (1-500)"),
    ("limit", "", "limit (1-500)"),
    ("limit", "٥", "limit (1-500)"),
    ("from_date", "20240230", "from_date (DATE, YYYYMMDD)"),
    ("from_date", "2024-01-01", "from_date (DATE, YYYYMMDD)"),
    ("to_date", 202401, "to_date (DATE, YYYYMMDD)"),
    ("to_date", ["20240131"], "to_date (DATE, YYYYMMDD)"),
    ("account_num", "1" * 21, "account_num (aN(20))"),
    ("account_num", "123-456", "account_num (aN(20))"),
    ("account_num", {"a": "b"}, "account_num (aN(20))"),
    ("seqno", None, "seqno (aN(7))"),
    ("seqno", "", "seqno (aN(7))"),
    ("next_page", "한글", "next_page (aNS(1000))"),
    ("next_page", "x" * 1001, "next_page (aNS(1000))"),
    ("to_date", "20231231", "to_date (from_date 이후)"),
]


@pytest.mark.parametrize(("name", "value", "detail"), MALFORMED)
def test_a_malformed_field_is_named_with_allowed_values(name, value, detail):
    assert refusal("은행-004", TRANSACTIONS | {name: value}) == ("parameter_malformed", detail)


@pytest.mark.parametrize(("name", "value", "detail"), MALFORMED)
def test_off_checks_no_values(name, value, detail):
    assert refusal("은행-004", TRANSACTIONS | {name: value}, Checking.OFF) is None
    assert refusal("은행-004", {}, Checking.OFF) is None


@pytest.mark.parametrize("limit", ["1", "01", "001", "99", "500", 1, 500])
def test_limits_from_1_to_500_pass(limit):
    assert refusal("은행-004", TRANSACTIONS | {"limit": limit}) is None


@pytest.mark.parametrize("month", ["202400", "202413", "2024", "20240101", "abcdef"])
@pytest.mark.parametrize("checking", [Checking.STRICT, Checking.LENIENT])
def test_invalid_months_are_refused(checking, month):
    assert refusal("카드-004", BILLS | {"to_month": month}, checking) == ("parameter_malformed", "to_month (YYYYMM)")


@pytest.mark.parametrize("checking", [Checking.STRICT, Checking.LENIENT])
@pytest.mark.parametrize(("start", "end"), [("202404", "202403"), (202404, "202403"), (202404, 202403)])
def test_a_period_does_not_end_before_it_begins(checking, start, end):
    problem = refusal("카드-004", BILLS | {"from_month": start, "to_month": end}, checking)
    assert problem == ("parameter_malformed", "to_month (from_month 이후)")


def test_a_period_of_one_day_passes():
    assert refusal("은행-004", TRANSACTIONS | {"to_date": "20240101"}) is None


def test_code_tables_of_requests_are_checked():
    request = {"org_code": "A1AAAE0000", "org_type": "03", "inquiry_date": "20240107", "type": "0"}
    assert refusal("지원-104", request) is None
    assert refusal("지원-104", request | {"type": "3"}) == ("parameter_malformed", "type (0, 1, 2 중 하나)")
    assert refusal("지원-104", request | {"type": "3"}, Checking.LENIENT) is None


def test_lists_must_be_lists():
    request = {"type": "1", "inquiry_date": "20240107", "stat_date_cnt": "7", "stat_date_list": []}
    assert refusal("지원-005", request) is None
    problem = ("parameter_malformed", "stat_date_list (JSON 배열)")
    assert refusal("지원-005", request | {"stat_date_list": "none"}) == problem
    assert refusal("지원-005", request | {"stat_date_list": {}}, Checking.LENIENT) == problem
    assert refusal("지원-005", without(request, "stat_date_list")) == (
        "parameter_missing",
        "stat_date_list (JSON 배열)",
    )


def test_a_cursor_may_have_any_printable_characters():
    request = {
        "org_code": "J1AAAE0000",
        "bond_num": "채권1",
        "from_date": "20240101",
        "to_date": "20240331",
        "limit": "9",
    }
    assert refusal("채권-003", request | {"next_page": "MQ-_=="}) is None


def test_lenient_accepts_fields_that_older_operators_omit():
    basics = {"org_code": "A1AAAE0000", "account_num": "1234567890"}
    assert refusal("은행-002", basics) == ("parameter_missing", "search_timestamp (N(14))")
    assert refusal("은행-002", basics, Checking.LENIENT) is None
    assert refusal("은행-004", without(TRANSACTIONS, "limit"), Checking.LENIENT) is None


@pytest.mark.parametrize("name", ["seqno", "next_page", "limit"])
def test_lenient_accepts_empty_optional_fields(name):
    assert refusal("은행-004", TRANSACTIONS | {name: ""}, Checking.LENIENT) is None
    assert refusal("은행-004", TRANSACTIONS | {name: None}, Checking.LENIENT) is not None


def test_lenient_ignores_characters():
    assert refusal("은행-004", TRANSACTIONS | {"account_num": "123-456"}, Checking.LENIENT) is None


LENIENT_MALFORMED = [
    ("account_num", "1" * 21), ("account_num", ""), ("limit", "501"), ("limit", "abc"), ("from_date", "20240230"),
    ("from_date", ""), ("to_date", "20231231"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), LENIENT_MALFORMED)
def test_lenient_checks_lengths_dates_and_limits(name, value):
    fault, detail = refusal("은행-004", TRANSACTIONS | {name: value}, Checking.LENIENT)
    assert fault == "parameter_malformed"
    assert detail.startswith(f"{name} (")


@pytest.mark.parametrize("name", ["org_code", "account_num", "from_date", "to_date"])
def test_lenient_checks_required_fields(name):
    fault, detail = refusal("은행-004", without(TRANSACTIONS, name), Checking.LENIENT)
    assert fault == "parameter_missing"
    assert detail.startswith(f"{name} (")


json_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.none())


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from([*TRANSACTIONS, "seqno", "next_page"]), json_values))
def test_no_refusal_contains_a_value(changed):
    for checking in (Checking.STRICT, Checking.LENIENT):
        problem = refusal("은행-004", TRANSACTIONS | changed, checking)
        assert problem is None or problem[1].partition(" ")[0] in TRANSACTIONS.keys() | changed.keys()


@pytest.mark.parametrize(
    ("changes", "usual"),
    [({}, True), ({"seqno": "001"}, True), ({"colour": "1"}, False), ({"limit": "501"}, False), ({"limit": ""}, False)],
)
def test_a_usual_request_is_exactly_that_of_the_standard(changes, usual):
    assert compile_usual_check(APIS["은행-004"])(TRANSACTIONS | changes) is usual


@pytest.mark.parametrize("checking", Checking)
def test_every_api_of_the_standard_compiles(checking):
    assert all(callable(compile_parameter_check(api, checking)) for api in APIS.values())


def test_every_detail_fits_into_a_message():
    for api in APIS.values():
        for parameters in ({}, {field.name: "\x01" for field in api.request.query + api.request.body}):
            with pytest.raises(Refusal) as refused:
                compile_parameter_check(api, Checking.STRICT)(parameters)
            assert len(f"{refused.value.fault.words}: {refused.value.detail}".encode()) <= 450


@pytest.mark.parametrize(
    ("parameters", "fault", "detail"),
    [
        (
            without(TRANSACTIONS, "from_date", "limit"),
            "parameter_missing",
            "from_date (DATE, YYYYMMDD), limit (1-500)",
        ),
        (
            TRANSACTIONS | {"account_num": "1-2", "to_date": "20240230", "limit": "501"},
            "parameter_malformed",
            "account_num (aN(20)), to_date (DATE, YYYYMMDD), limit (1-500)",
        ),
        (
            without(TRANSACTIONS, "account_num") | {"limit": "0"},
            "parameter_missing",
            "account_num (aN(20)); 형식이 올바르지 않은 파라미터: limit (1-500)",
        ),
        (
            without(TRANSACTIONS, "limit") | {"account_num": "1-2"},
            "parameter_malformed",
            "account_num (aN(20)); 없는 필수 파라미터: limit (1-500)",
        ),
    ],
)
def test_all_wrong_parameters_are_named_at_once(parameters, fault, detail):
    assert refusal("은행-004", parameters) == (fault, detail)


def test_more_wrong_parameters_than_fit_are_counted():
    with pytest.raises(Refusal) as refused:
        compile_parameter_check(APIS["통합인증-002"], Checking.STRICT)({})
    assert re.search(r" 외 \d개$", refused.value.detail)


@pytest.mark.parametrize(
    "compile_check", [lambda api: compile_parameter_check(api, Checking.STRICT), compile_usual_check]
)
def test_a_check_leaves_no_reference_cycle(compile_check):
    """A gateway freezes a plan for the collector: a cycle of a replaced plan would never be freed."""
    apis = APIS.values()
    gc.collect()
    gc.disable()
    try:
        for api in apis:
            compile_check(api)
        assert gc.collect() == 0
    finally:
        gc.enable()
