import logging

import pytest

from relay.infra.answers.summary import DailySummary
from relay.policy.answers.answer_rules import Verdict
from relay.policy.answers.rules import Rule, Violation

BANK, CARD = "ZBAA000001", "ZCDA000001"
BROKEN = Verdict((Violation(Rule.TYPE, "a"), Violation(Rule.TYPE, "b"), Violation(Rule.COUNT, "c_cnt")))


@pytest.fixture
def summary(caplog):
    caplog.set_level(logging.INFO)
    return DailySummary()


def test_a_day_is_one_line_and_one_for_each_broken_institution(summary, caplog):
    for org_code, verdict in ((BANK, BROKEN), (BANK, Verdict(())), (CARD, Verdict(()))):
        summary.record(org_code, "BA04", verdict, "20261130")
    assert caplog.messages == []
    summary.record(CARD, "CD01", Verdict(()), "20261201")
    assert caplog.messages == [
        "answers checked: day=20261130 institutions=2 answers=3 with_violations=1",
        f"answers break rules: day=20261130 org_code={BANK} answers=2 with_violations=1 rules=count:1,type:1",
    ]
    summary.turn("20261202")
    assert caplog.messages[2:] == ["answers checked: day=20261201 institutions=1 answers=1 with_violations=0"]


def test_a_day_without_answers_has_no_line(summary, caplog):
    for day in ("20261130", "20261201", "20261202"):
        summary.turn(day)
    assert caplog.messages == []


def test_numbers_without_quotes_are_remarked_once_for_an_institution(summary, caplog):
    for api_code in ("BA04", "BA04", "BA01"):
        summary.record(BANK, api_code, Verdict((), style="trans_cnt"), "20261130")
    assert caplog.messages == [
        f"answers have numbers or booleans without quotes, accepted: org_code={BANK} api_code=BA04 field=trans_cnt"
    ]


def test_the_end_of_the_process_logs_the_day_so_far(summary, caplog):
    summary.record(BANK, "BA04", Verdict(()), "20261130")
    summary.end()
    summary.end()
    assert caplog.messages == ["answers checked: day=20261130 institutions=1 answers=1 with_violations=0"]


def test_some_unknown_codes_are_named(summary, caplog):
    for number in range(9):
        verdict = Verdict((Violation(Rule.CODE_UNKNOWN, "rsp_code"),), unknown_code=f"7000{number}")
        summary.record(BANK, "BA04", verdict, "20261130")
    summary.end()
    assert caplog.messages[-1].endswith("rules=code_unknown:9 unknown_codes=70000,70001,70002,70003,70004")
