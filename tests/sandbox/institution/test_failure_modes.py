"""Rules apply in order, as often as planned, to their API, page and institution. Invalid ones name what is valid."""

import pytest
from mydata_sandbox.institution.failure_modes import FailureRule, InstitutionFailures, InvalidRule, find_mode

BANK, CARD, LIST = "ZBAA000001", "ZCDA000001", "은행-001"


@pytest.fixture
def failures():
    return InstitutionFailures([BANK, CARD])


def test_rules_apply_in_order_and_end(failures):
    failures.add(FailureRule("은행-004", "slow", times=2))
    failures.add(FailureRule("BA04", "42901"))
    assert [failures.take(BANK, "은행-004", 1) for _ in range(4)] == ["slow", "slow", "42901", ""]


def test_a_rule_waits_for_its_page_and_institution(failures):
    failures.add(FailureRule("all", "timeout", page=2, org_code=CARD))
    assert failures.take(CARD, "카드-001", 1) == failures.take(BANK, LIST, 2) == ""
    assert failures.take(CARD, "카드-001", 2) == "timeout"


def test_all_apis_may_be_named_in_capitals(failures):
    assert failures.add(FailureRule("ALL", "slow")).api == "all"


def test_rules_are_described_and_cleared(failures):
    rule = failures.add(FailureRule("ba01", "timeout", page=2, times=3, org_code=BANK))
    assert failures.rules() == (rule,)
    assert rule.row() == {"api": LIST, "how": "timeout", "page": 2, "times": 3, "org_code": BANK}
    assert rule.describe() == (
        f"the next 3 calls of {LIST} of page 2 at {BANK}: timeout, does not answer; "
        "the operator gets HTTP 500, rsp_code 50003"
    )
    failures.clear()
    assert failures.rules() == ()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (FailureRule("은행-999", "slow"), "은행-999 is not an API of institutions: write 은행-004, BA04 or all"),
        (FailureRule("개별인증-002", "slow"), "개별인증-002 is not an API of institutions"),
        (FailureRule("CM01", "slow"), "CM01 never reaches an institution: the relay answers it"),
        (FailureRule("공통-002", "slow"), "공통-002 never reaches an institution: the relay answers it"),
        (FailureRule(LIST, "sulk"), r"how is an rsp_code \(42901, 50001, ...\) or one of timeout, "),
        (FailureRule(LIST, "00000"), "how is an rsp_code"),
        (FailureRule(LIST, "slow", times=0), "times is a number from 1 to 10000"),
        (FailureRule(LIST, "slow", page=-1), "page is a number from 1"),
        (FailureRule(LIST, "slow", org_code="ZZZZ000001"), f"ZZZZ000001 is not one of {BANK}, {CARD}"),
    ],
)
def test_invalid_rules_name_what_is_valid(failures, rule, words):
    with pytest.raises(InvalidRule, match=words):
        failures.add(rule)
    assert failures.rules() == ()


def test_an_rsp_code_is_a_mode_with_its_status():
    mode = find_mode("42901")
    assert (mode.status, mode.rsp_code, mode.words.startswith("refuses: ")) == (429, "42901", True)
