"""The table of faults against 첨부1 of the standard."""

import dataclasses
import re

import pytest

from relay.domain.fault import FAULTS, Fault, FaultOwner, Refusal, index_faults

RESPONSE_CODES = {
    400: {"40001", "40002", "40003", "40004"},
    401: {"40101", "40102", "40103", "40104", "40105", "40106"},
    403: {"40301", "40302", "40303", "40304", "40305"},
    404: {"40401", "40402", "40403"},
    405: {"40501"},
    429: {"42901"},
    500: {f"5000{last}" for last in range(1, 10)},
}

every_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())


@every_fault
def test_the_rsp_code_is_one_of_the_standard_under_its_status(fault):
    assert fault.rsp_code in RESPONSE_CODES[fault.status]
    assert fault.rsp_code.startswith(str(fault.status))


@every_fault
def test_the_text_fits_rsp_msg_with_room_for_a_field_name(fault):
    assert 0 < len(fault.words.encode()) <= 450 - 64


@every_fault
def test_the_text_is_korean_without_placeholders(fault):
    assert re.search(r"[가-힣]", fault.words)
    assert not re.search(r"[{}%<>\"\\\n]", fault.words)


@every_fault
def test_the_name_is_a_plain_label(fault):
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", fault.name)
    assert FAULTS[fault.name] is fault


@every_fault
def test_only_limits_and_faults_of_others_may_be_retried(fault):
    if fault.retry:
        assert fault.owner is not FaultOwner.OPERATOR or fault.rsp_code in {"42901", "50009"}
    elif fault.owner is not FaultOwner.OPERATOR:
        pytest.fail("faults of institution and relay are temporary: retry must be true")


def test_a_duplicate_fault_name_is_refused():
    fault = FAULTS["token_expired"]
    with pytest.raises(ValueError, match="duplicate fault token_expired"):
        index_faults([fault, dataclasses.replace(fault)])


def test_a_fault_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        FAULTS["token_expired"].words = "다른 말"


def test_a_refusal_has_fault_detail_and_retry_after():
    refusal = Refusal(FAULTS["operator_rate"], "per_second", 0.25)
    assert str(refusal) == "operator_rate"
    assert (refusal.fault, refusal.detail, refusal.retry_after) == (FAULTS["operator_rate"], "per_second", 0.25)


def test_a_fault_may_not_be_retried_by_default():
    assert Fault("x", FaultOwner.OPERATOR, 400, "40001", "말").retry is False
