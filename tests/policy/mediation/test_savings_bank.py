"""The example savings bank answers all 10 APIs of banks, true to the catalogue."""

import json

import pytest
from fixtures.savings_bank import ACCOUNT, CASES, PERIOD
from hypothesis import given, settings
from hypothesis import strategies as st
from mydata_sandbox.checks.conformance import find_strict_violations

from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.paging.collection import PageCollection
from relay.policy.mediation.paging.seal import CursorSeal

SEAL = CursorSeal(b"s" * 32)
NOW = 1_800_000_000.0


@pytest.mark.parametrize("api_code", CASES)
def test_a_response_becomes_the_body_of_the_standard(core, api_code):
    parameters, values, expected = CASES[api_code]
    bank = core(api_code, parameters, user_ci="c" * 88)
    collection = PageCollection(bank.conversion, bank.call, SEAL)
    collection.build_request("000000000001", NOW)
    collection.accept(bank.respond(values, rows=min(int(parameters.get("limit", 1)), 100)))
    answer = collection.build_answer()
    body = json.loads(answer.body)
    assert body == {"rsp_code": "00000", "rsp_msg": "성공", **expected}
    assert find_strict_violations(bank.conversion.api, body) == []
    assert (answer.status, answer.rsp_code, answer.core_code) == (200, "00000", "0000")


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_bytes_give_a_true_body_or_an_error(core, data):
    api_code = data.draw(st.sampled_from(sorted(CASES)))
    parameters, values, _ = CASES[api_code]
    bank = core(api_code, parameters, user_ci="c" * 88)
    telegram = bytearray(bank.respond(values, rows=min(int(parameters.get("limit", 1)), 100)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(53, len(telegram) - 1))
        byte = data.draw(st.sampled_from(b' 0 9 A Z a \xb1 \x1c Y N - + . "') | st.integers(0, 255))
        telegram[at] = byte
    collection = PageCollection(bank.conversion, bank.call, SEAL)
    collection.build_request("000000000001", NOW)
    answer = convert(collection, bytes(telegram))
    if answer is not None:
        assert find_strict_violations(bank.conversion.api, json.loads(answer.body)) == []


def convert(collection, telegram):
    """Returns the answer, None for a telegram that cannot be converted."""
    try:
        collection.accept(telegram)
        collection.stop()
        return collection.build_answer()
    except ConversionError:
        return None


def test_all_apis_of_banks_are_there(institution):
    assert sorted(institution.conversions) == sorted(CASES)


@pytest.mark.parametrize(
    ("core_code", "status", "rsp_code"),
    [
        ("1001", 404, "40402"),
        ("9001", 500, "50008"),
        ("7777", 500, "50005"),
        ("0002", 200, "00001"),
        ("", 500, "50005"),
    ],
)
def test_a_failure_has_the_rsp_code_of_its_table(core, core_code, status, rsp_code):
    bank = core("BA22", {**ACCOUNT, "search_timestamp": "0"})
    collection = PageCollection(bank.conversion, bank.call)
    collection.build_request("000000000001", NOW)
    collection.accept(bank.respond({}, code=core_code))
    answer = collection.build_answer()
    assert (answer.status, answer.rsp_code, answer.core_code) == (status, rsp_code, core_code)
    assert json.loads(answer.body).keys() == {"rsp_code", "rsp_msg"}
    assert find_strict_violations(bank.conversion.api, json.loads(answer.body)) == []


def test_a_request_has_the_values_of_the_call(core):
    bank = core("BA04", PERIOD)
    request = PageCollection(bank.conversion, bank.call, SEAL).build_request("000000000042", NOW)
    assert request == (
        b"0002500200A004099ZBAC00000120270115170000000000000042" + b" " * 49
        + b" " * 88 + b"110200300400        001    2026010120260131" + b" " * 20 + b"100"
    )  # fmt: skip
