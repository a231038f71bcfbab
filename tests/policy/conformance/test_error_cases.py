"""Tests of wrong calls: what each changes, and for which APIs there is none."""

from datetime import date

import pytest

from relay.policy.conformance.call import ConformanceCall
from relay.policy.conformance.error_cases import ANSWERED_BY_CORES, ERROR_CASES, UNKNOWN_CI
from relay.policy.conformance.parameters import build_parameters
from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis


def build(api_id, **values):
    api = APIS[api_id]
    return ConformanceCall(api, api.path, build_parameters(api, "ZBAA000001", values, date(2026, 11, 29)), "Q0k=")


def list_wrong(call, rule):
    return [wrong for error in ERROR_CASES if error.rule == rule and (wrong := error.change(call)) is not None]


MOVEMENTS = build("은행-004", account_num="1")


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("limit_range", [{"limit": "0"}, {"limit": "501"}]),
        ("cursor_unknown", [{"next_page": "conform-unknown-cursor"}]),
        ("period", [
            {"from_date": "20261129", "to_date": "20251129"}, {"from_date": "19900101", "to_date": "19900131"},
        ]),
        ("unknown_asset", [{"account_num": "9" * 20}]),
        ("unknown_parameter", [{"x_conform": "1"}]),
        ("unknown_org", [{"org_code": "ZZZZ999999"}]),
    ],
)  # fmt: skip
def test_a_wrong_call_differs_in_parameters(rule, changes):
    wrong = [dict(each.parameters.items() - MOVEMENTS.parameters.items()) for each in list_wrong(MOVEMENTS, rule)]
    assert wrong == changes


def test_the_last_required_parameter_is_left_out():
    (wrong,) = list_wrong(MOVEMENTS, "missing_parameter")
    assert MOVEMENTS.parameters.keys() - wrong.parameters.keys() == {"limit"}


def test_a_limit_a_date_and_a_body_are_malformed():
    limit, day, body = list_wrong(MOVEMENTS, "malformed_parameter")
    assert limit.parameters["limit"] == "12a"
    assert day.parameters["to_date"] == "2026112a"
    assert body.raw_body == MOVEMENTS.build_body()[:-1]


def test_a_malformed_last_day_is_after_the_first_one():
    _, day, _ = list_wrong(MOVEMENTS, "malformed_parameter")
    assert day.parameters["from_date"] < day.parameters["to_date"]


def test_customers_are_unknown_or_missing():
    assert [each.ci for each in list_wrong(MOVEMENTS, "unknown_customer")] == [UNKNOWN_CI]
    assert [each.ci for each in list_wrong(MOVEMENTS, "customer_header")] == [""]


def test_the_method_is_the_other():
    assert [each.used_method for each in list_wrong(MOVEMENTS, "wrong_method")] == ["GET"]
    assert [each.used_method for each in list_wrong(build("은행-001"), "wrong_method")] == ["POST"]


def test_an_api_without_the_parameter_has_no_wrong_call():
    points = build("카드-003")
    for rule in ("limit_range", "cursor_unknown", "period", "unknown_asset", "missing_parameter"):
        assert list_wrong(points, rule) == []


def test_cores_answer_some_rules():
    assert {error.rule for error in ERROR_CASES} > ANSWERED_BY_CORES
