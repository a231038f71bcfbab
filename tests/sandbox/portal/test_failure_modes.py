"""Failures happen in order, as often as planned, only for their APIs. Each changes a list in its own way."""

import json

import pytest
from mydata_sandbox.portal.failure_modes import FAILURE_MODES, FailurePlan, InvalidCommand, apply_failure, build_huge

ROWS = [
    {"op_type": "I", "org_code": "ZRLA000001", "org_type": "04", "serial_num": "1"},
    {"op_type": "I", "org_code": "ZOPA000001", "org_type": "03", "serial_num": "2"},
    {"op_type": "I", "org_code": "ZOPA000002", "org_type": "03", "serial_num": "3"},
]
SERVICES = [
    {
        "org_code": "ZOPA000001",
        "service_cnt": "1",
        "service_list": [{"service_name": "하나", "op_type": "I", "client_id": "SVC01", "client_secret": "s"}],
    }
]
NOTHING_NEW = {"rsp_code": "00000", "org_cnt": "0", "org_list": []}


@pytest.fixture
def failures():
    return FailurePlan()


def test_failures_happen_once_in_order(failures):
    failures.plan("지원-002", "slow", 2)
    failures.plan("지원-002", "garbage", 1)
    assert failures.next("지원-003") == ""
    assert [failures.next("지원-002") for _ in range(4)] == ["slow", "slow", "garbage", ""]


def test_failures_can_be_listed_and_cancelled(failures):
    failures.plan("지원-005", "reset", 2)
    assert failures.planned() == {"지원-005": ("reset", "reset")}
    failures.reset()
    assert (failures.planned(), failures.next("지원-005")) == ({}, "")


@pytest.mark.parametrize(
    ("api_id", "how", "times", "words"),
    [
        ("지원-002", "sulk", 1, "how is one of slow, "),
        ("지원-001", "token_expired", 1, "token_expired is for "),
        ("지원-003", "missing_serial", 1, "missing_serial is for 지원-002"),
        ("지원-005", "half_list", 1, "half_list is for 지원-002, 지원-003, 지원-006"),
        ("은행-001", "slow", 1, "slow is for 지원-001, "),
        ("지원-002", "slow", 0, "times is 1 or more"),
    ],
)
def test_an_invalid_failure_is_refused_with_valid_values(failures, api_id, how, times, words):
    with pytest.raises(InvalidCommand, match=words):
        failures.plan(api_id, how, times)


@pytest.mark.parametrize("how", sorted(FAILURE_MODES.keys() - {"half_list", "mass_deletion", "doubled"}))
def test_other_failures_do_not_change_the_list_of_services(how):
    if how in {"unknown_org_type", "missing_serial"}:
        assert "지원-003" not in FAILURE_MODES[how][1]
    else:
        assert apply_failure(how, NOTHING_NEW, SERVICES, whole=True) is NOTHING_NEW


def codes(body):
    return [row["org_code"] for row in body["org_list"]]


@pytest.mark.parametrize("whole", [True, False])
def test_half_a_list_has_the_full_count(whole):
    body = apply_failure("half_list", NOTHING_NEW, ROWS, whole=whole)
    assert (body["org_cnt"], codes(body), body["rsp_code"]) == ("3", ["ZRLA000001"], "00000")


def test_mass_deletion_empties_a_full_list():
    body = apply_failure("mass_deletion", NOTHING_NEW, ROWS, whole=True)
    assert (body["org_cnt"], codes(body)) == ("1", ["ZRLA000001"])


def test_mass_deletion_removes_services_from_a_full_list():
    body = apply_failure("mass_deletion", NOTHING_NEW, SERVICES, whole=True)
    assert (body["org_cnt"], body["org_list"]) == ("0", [])


def test_mass_deletion_deletes_all_rows_in_a_delta():
    body = apply_failure("mass_deletion", NOTHING_NEW, ROWS, whole=False)
    assert [row["op_type"] for row in body["org_list"]] == ["D"] * 3
    assert "serial_num" not in body["org_list"][0]
    (services,) = apply_failure("mass_deletion", NOTHING_NEW, SERVICES, whole=False)["org_list"]
    assert services["service_list"] == [{"service_name": "하나", "client_id": "SVC01", "op_type": "D"}]


def test_a_doubled_row_is_counted_twice():
    body = apply_failure("doubled", NOTHING_NEW, ROWS, whole=True)
    assert (body["org_cnt"], codes(body)[:2]) == ("4", ["ZRLA000001"] * 2)


def test_an_org_type_is_unknown():
    body = apply_failure("unknown_org_type", NOTHING_NEW, ROWS, whole=True)
    assert [row["org_type"] for row in body["org_list"]] == ["08", "03", "03"]


def test_an_operator_has_no_serial_number():
    body = apply_failure("missing_serial", NOTHING_NEW, ROWS, whole=True)
    assert ["serial_num" in row for row in body["org_list"]] == [True, False, True]


@pytest.mark.parametrize("body", [{"rsp_code": "00000", "org_cnt": "3", "org_list": ROWS}, {"rsp_code": "00000"}])
def test_a_huge_response_is_json(body):
    content = build_huge(body, 100_000)
    assert 100_000 <= len(content) < 110_000
    body = json.loads(content)
    assert body["rsp_code"] == "00000"
    assert int(body.get("org_cnt", 0)) == len(body.get("org_list", []))
