"""Validation of responses against the catalogue."""

import json
from pathlib import Path

import pytest
from mydata_sandbox.checks.conformance import find_remarks, find_strict_violations, find_violations

from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis
ACCOUNT = {
    "account_num": "1234567890", "is_consent": "true", "prod_name": "자유입출금", "account_type": "1001",
    "account_status": "01",
}  # fmt: skip
ACCOUNTS = {
    "rsp_code": "00000", "rsp_msg": "성공", "search_timestamp": "0", "reg_date": "20200101",
    "account_cnt": "1", "account_list": [ACCOUNT],
}  # fmt: skip


def validate(**changed):
    return find_violations(APIS["은행-001"], ACCOUNTS | changed)


def without(members, name):
    return {key: value for key, value in members.items() if key != name}


def test_a_valid_response_has_no_violation():
    assert validate() == []


def test_a_response_without_items_has_no_violation():
    assert validate(account_cnt="0", account_list=[]) == []


@pytest.mark.parametrize("body", [None, [], "text", 1])
def test_a_response_must_be_an_object(body):
    assert find_violations(APIS["은행-001"], body) == ["$: must be an object"]


def test_a_missing_required_field_is_reported():
    assert find_violations(APIS["은행-001"], without(ACCOUNTS, "reg_date")) == ["$.reg_date: is missing"]
    assert validate(account_list=[without(ACCOUNT, "prod_name")]) == ["$.account_list[0].prod_name: is missing"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("account_type", "9999", "must be one of 1001"),
        ("account_num", "1" * 21, "must be aN(20)"),
        ("is_consent", "Y", "must be Boolean"),
        ("is_consent", 1, "must be Boolean"),
        ("seqno", 12345678, "must be aN(7)"),
        ("seqno", {}, "must be aN(7)"),
        ("seqno", 1.5, "must be aN(7)"),
        ("seqno", None, "has no value and must be left out"),
        ("prod_name", "", "has no value and must be left out"),
        ("prod_name", "가" * 101, "must be AH(300)"),
        ("balance", "1", "is not a field of this response"),
    ],
)
def test_an_invalid_value_is_reported_by_path_only(name, value, words):
    other = ACCOUNT | {name: value}
    (violation,) = validate(account_cnt="2", account_list=[ACCOUNT, other])
    assert violation.startswith(f"$.account_list[1].{name}: {words}")


def test_a_count_is_the_length_of_its_list():
    assert validate(account_cnt="2") == ["$.account_cnt: is not the number of account_list"]


def test_counts_are_compared_as_numbers():
    for count in (1, "1", "001"):
        assert validate(account_cnt=count) == []
    assert validate(account_cnt=2) == ["$.account_cnt: is not the number of account_list"]


def test_numbers_and_booleans_that_fit_are_one_remark():
    body = ACCOUNTS | {"account_cnt": 2, "account_list": [ACCOUNT | {"is_consent": True, "seqno": 1}] * 2}
    assert find_violations(APIS["은행-001"], body) == []
    assert find_remarks(body) == ["$.account_cnt: should be a JSON string, like all values"]
    assert find_remarks(body["account_list"]) == ["$[0].is_consent: should be a JSON string, like all values"]
    assert find_remarks(ACCOUNTS) == []
    assert find_strict_violations(APIS["은행-001"], body) == find_remarks(body)


def test_a_list_holds_objects():
    assert validate(account_list=["x"]) == ["$.account_list[0]: must be an object"]
    assert validate(account_list="x") == ["$.account_list: must be an array"]


def test_an_empty_optional_list_is_reported():
    fob = {
        "fob_id": "1", "is_consent": "true", "fob_name": "지갑", "reg_date": "20200101", "limit_amt": "200",
        "is_charge": "false", "account_cnt": "0", "account_list": [],
    }  # fmt: skip
    response = {"rsp_code": "00000", "rsp_msg": "성공", "fob_cnt": "1", "fob_list": [fob]}
    assert "$.fob_list[0].account_list: is empty and must be left out" in find_violations(APIS["전금-001"], response)


@pytest.mark.parametrize("code", ["00001", "40402"])
def test_a_response_without_success_holds_code_and_message_alone(code):
    assert find_violations(APIS["은행-001"], {"rsp_code": code, "rsp_msg": "없음"}) == []
    violations = find_violations(APIS["은행-001"], {"rsp_code": code, "rsp_msg": "없음", "reg_date": "20200101"})
    assert violations == ["$.reg_date: is not a field of this response"]


def test_the_token_response_needs_no_response_code():
    response = {"token_type": "Bearer", "access_token": "a.b.c", "expires_in": "3600"}
    assert find_violations(APIS["개별인증-003"], response) == []


def test_resources_of_the_api_list_may_hold_slashes():
    response = {
        "rsp_code": "00000", "rsp_msg": "성공", "version": "v1", "api_cnt": "1",
        "api_list": [{"api_code": "BA04", "api_uri": "/accounts/deposit/transactions"}],
    }  # fmt: skip
    assert find_violations(APIS["정보제공-공통-001"], response) == []


@pytest.mark.parametrize("page", ["institution.md", "institution.ko.md"])
def test_the_example_of_the_page_for_institutions_is_valid(page):
    text = (Path(__file__).parents[3] / "docs" / "start" / page).read_text()
    _, example = text.split("HTTP/1.1 200 OK\n")
    headers, _, rest = example.partition("\n\n")
    body = rest.splitlines()[0]
    assert f"Content-Length: {len(body.encode())}" in headers.splitlines()
    assert find_violations(APIS["은행-001"], json.loads(body)) == []


@pytest.mark.parametrize("code", ["77777", 77777])
def test_a_code_that_is_not_in_the_standard_is_named(code):
    body = {"rsp_code": code, "rsp_msg": "없음"}
    assert find_violations(APIS["은행-001"], body) == ["$.rsp_code: 77777 is not in the standard"]
