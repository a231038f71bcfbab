"""Answers on their way to the watch: as the institution sent them, complete ones only."""

import pytest

from relay.domain.fault import FAULTS
from relay.gateway.answer_tap import AnswerTap
from relay.policy.answers.content import MAX_BYTES
from relay.policy.answers.question import Question
from relay.policy.call.institution_request import RequestTemplate

TRAN_ID = b"ZOPA000001M00000000000001"
NAMED = {b"x-api-tran-id": TRAN_ID}
BODY = b'{"rsp_code":"00000","trans_list":[{"trans_memo":"private"}]}'
QUESTION = Question(b"/v1/bank/accounts", b"limit=1", b"")


class Receiver:
    def __init__(self):
        self.calls = []

    def response_received(self, *arguments):
        self.calls.append(("response_received", *arguments))
        return True

    def __getattr__(self, name):
        return lambda *arguments: self.calls.append((name, *arguments))


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def tap(receiver, answers):
    return AnswerTap(receiver, answers, "ZBAA000001", "BA01", QUESTION, is_sampled=True)


def test_a_whole_answer_is_passed_on_and_kept(tap, receiver, answers):
    tap.response_received(200, NAMED, BODY)
    assert receiver.calls == [("response_received", 200, NAMED, BODY)]
    assert answers.added == [("ZBAA000001", "BA01", True, QUESTION, 200, NAMED, BODY)]


def test_the_parts_of_a_large_answer_are_joined(tap, receiver, answers):
    tap.head_received(200, NAMED, None, b'{"rsp')
    tap.body_received(b'_code":')
    tap.body_received(b'"00000"}')
    assert answers.added == []
    tap.response_ended()
    assert [name for name, *_ in receiver.calls] == ["head_received", *["body_received"] * 2, "response_ended"]
    assert answers.added[0][-1] == b'{"rsp_code":"00000"}'


def test_a_cut_answer_is_not_checked(tap, receiver, answers):
    tap.head_received(200, NAMED, 100, b"{")
    tap.request_failed(FAULTS["provider_reset"], "cut")
    assert (answers.added, receiver.calls[-1]) == ([], ("request_failed", FAULTS["provider_reset"], "cut"))


def test_no_more_than_the_limit_and_one_part_is_collected(tap, receiver, answers):
    tap.head_received(200, NAMED, None, b"{")
    for _ in range(20):
        tap.body_received(b" " * (MAX_BYTES // 8))
    tap.response_ended()
    assert MAX_BYTES < len(answers.added[0][-1]) <= MAX_BYTES + MAX_BYTES // 8
    assert len(receiver.calls) == 22


def test_a_sampled_answer_goes_to_the_watch(gateway, connection, head, upstream, answers):
    gateway.handle(connection, head(), b"")
    upstream.receiver.response_received(200, NAMED, b'{"rsp_code":"00000"}')
    (answer,) = answers.added
    assert (answer.org_code, answer.api_code, answer.is_sampled, answer.status) == ("ZBAA000001", "BA01", True, 200)
    assert answer.question == Question(b"/v1/bank/accounts", b"org_code=ZBAA000001&limit=1", b"")
    assert connection.body == answer.body == b'{"rsp_code":"00000"}'


@pytest.mark.parametrize(("mode", "is_idle", "number"), [("off", False, 0), ("sample", True, 0), ("all", True, 1)])
def test_the_setting_says_which_answers_are_checked(
    gateway, connection, head, upstream, answers, replan, dependencies, mode, is_idle, number
):
    answers.is_idle = is_idle
    plan = replan(upstream={"answers": mode})
    template = RequestTemplate.from_url("http://127.0.0.1:1")
    gateway.swap(plan, dict.fromkeys(plan.institutions, (upstream, (template,))), dependencies)
    gateway.handle(connection, head(), b"")
    upstream.receiver.response_received(200, NAMED, b'{"rsp_code":"00000"}')
    assert len(answers.added) == number
