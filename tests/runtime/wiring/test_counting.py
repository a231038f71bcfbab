"""Tests of counting rules built from the standard."""

import pytest

from relay.domain.exchange import Exchange
from relay.infra.answers.counts import AnswerCounts
from relay.policy.answers.question import Question, ReceivedAnswer
from relay.runtime.wiring.counting import build_answer_watch, build_counting


def exchange(**fields):
    ended = Exchange(0.0, 1_700_000_000.0)
    defaults = {
        "provider": "ZBAA000001",
        "operator": "ZOPA000001",
        "client_id": "one1",
        "api_code": "BA01",
        "status": 200,
    }
    for name, value in (defaults | fields).items():
        setattr(ended, name, value)
    ended.close(0.1)
    return ended


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"rsp_code": "00000"}, "200_00000"),
        ({"rsp_code": "50005", "status": 500}, "500_50005"),
        ({"rsp_code": "98765", "status": 500}, "500_other"),
        ({"api_code": "AU02", "status": 400, "error": "invalid_grant"}, "400_invalid_grant"),
        ({"api_code": "AU01", "status": 302, "error": "unauthorized_user"}, "302_unauthorized_user"),
        ({"api_code": "AU02", "status": 400, "error": "invented_here"}, "400_other"),
    ],
)
def test_only_codes_and_errors_of_the_standard_count_by_name(fields, outcome):
    assert build_counting().line(exchange(**fields)).outcome == outcome


def test_an_api_outside_the_standard_is_not_counted():
    assert build_counting().line(exchange(api_code="S101", rsp_code="00000")) is None


def test_counting_rules_are_built_once():
    assert build_counting() is build_counting()


def test_answers_are_held_against_the_codes_of_the_standard():
    counts = AnswerCounts()
    body = b'{"rsp_code":"50010","rsp_msg":"a"}'
    question = Question(b"/v1/bank/accounts", b"limit=1", b"")
    build_answer_watch(counts).check(ReceivedAnswer("ZBAA000001", "BA01", True, question, 500, {}, body))
    assert counts.checked == {("ZBAA000001", "BA01", "clean"): 1}
