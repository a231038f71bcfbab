"""The watch: which answers are chosen, what waits, what its thread does."""

import json
import threading
import weakref

import pytest

from relay.infra.answers.counts import AnswerCounts
from relay.infra.answers.watch import (
    ALL_SHARE,
    EACH_S,
    MAX_WAITING,
    MAX_WAITING_BYTES,
    PER_SECOND,
    SAMPLE_SHARE,
    AnswerWatch,
    compute_pause,
)
from relay.policy.answers.content import MAX_BYTES
from relay.policy.answers.question import Question, ReceivedAnswer
from relay.standard.catalogue import load_catalogue, load_rsp_codes

BANK = "ZBAA000001"
STATUSES = {code: row.http for code, row in load_rsp_codes().items()}
SECRET = "1234567890123"
CLEAN = {"rsp_code": "40402", "rsp_msg": "없음"}


class Counts(AnswerCounts):
    """Counts that tell when an answer was counted or skipped."""

    def __init__(self):
        super().__init__()
        self.recorded = threading.Event()

    def record(self, *arguments):
        super().record(*arguments)
        self.recorded.set()


@pytest.fixture
def counts():
    return Counts()


@pytest.fixture
def watch(counts):
    watch = AnswerWatch(load_catalogue(), STATUSES, counts, lambda: 1_700_000_000.0)
    yield watch
    watch.stop()


def answer(body=CLEAN, api_code="BA01", status=404, is_sampled=True, query=b"limit=10"):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    question = Question(b"/v1/bank/accounts", query, b"")
    return ReceivedAnswer(BANK, api_code, is_sampled, question, status, {}, content)


def test_an_institution_and_api_are_sampled_once_in_a_while(watch):
    assert watch.is_due(BANK, "BA01", 100.0)
    assert not watch.is_due(BANK, "BA01", 101.0)
    assert watch.is_due(BANK, "BA02", 101.0)
    assert watch.is_due("ZBAA000002", "BA01", 102.0)
    assert watch.is_due(BANK, "BA01", 100.0 + EACH_S)


def test_all_institutions_together_have_a_limit_a_second(watch):
    calls = [(f"ZBAA{number:06}", 100.0 + number / 1000) for number in range(2000)]  # 2 seconds
    chosen = [org_code for org_code, now in calls if watch.is_due(org_code, "BA01", now)]
    assert PER_SECOND <= len(chosen) <= 2 * PER_SECOND + 1


def test_a_checked_answer_is_counted_by_rule_and_field(watch, counts):
    watch.check(answer())
    watch.check(answer({"result": SECRET}, status=200))
    watch.check(answer({"rsp_code": "77777", "rsp_msg": SECRET}, status=200))
    assert counts.checked == {(BANK, "BA01", "clean"): 1, (BANK, "BA01", "broken"): 2}
    assert set(counts.broken) == {
        (BANK, "BA01", "code_missing", "rsp_code"),
        (BANK, "BA01", "code_unknown", "rsp_code"),
    }
    assert counts.codes == {(BANK, "77777"): 1}


def test_the_parameters_of_the_call_are_part_of_the_check(watch, counts):
    body = {"rsp_code": "00000", "rsp_msg": "a", "reg_date": "20200101", "account_cnt": "0", "account_list": []}
    watch.check(answer(body | {"next_page": "a/b"}, status=200, query=b"limit=10&next_page=a%2Fb"))
    assert list(counts.broken) == [(BANK, "BA01", "next_page", "next_page")]


def test_answers_beyond_a_limit_are_skipped_and_counted(watch, counts):
    for _ in range(MAX_WAITING + 3):
        watch.add(answer())
    watch.add(answer(b" " * (MAX_BYTES + 1)))
    assert counts.skipped == {"queue": 3, "size": 1}


def test_the_bytes_of_waiting_answers_have_a_limit(watch, counts):
    for _ in range(MAX_WAITING_BYTES // MAX_BYTES + 2):
        watch.add(answer(b" " * MAX_BYTES))
    assert counts.skipped == {"queue": 2}


@pytest.mark.parametrize(("is_sampled", "share"), [(True, SAMPLE_SHARE), (False, ALL_SHARE)])
@pytest.mark.parametrize("busy_s", [0.001, 0.05, 1.0])
def test_checks_take_their_share_of_a_core_alone(busy_s, is_sampled, share):
    pause = compute_pause(busy_s, is_sampled=is_sampled)
    assert busy_s / (busy_s + pause) == pytest.approx(share)


def test_the_thread_checks_what_waits_and_what_comes(watch, counts):
    watch.add(answer())
    watch.start()
    assert counts.recorded.wait(10)
    counts.recorded.clear()
    watch.add(answer(is_sampled=False))
    assert counts.recorded.wait(10)
    assert counts.checked == {(BANK, "BA01", "clean"): 2}


def test_an_error_of_a_check_names_no_value_and_ends_nothing(watch, counts, caplog):
    watch.add(answer(api_code=SECRET))  # a KeyError with this text
    watch.add(answer())
    watch.start()
    assert counts.recorded.wait(10)
    assert counts.skipped == {"failed": 1}
    assert "check of an answer failed: org_code=ZBAA000001" in caplog.text
    assert "error=KeyError" in caplog.text
    assert "Traceback" not in caplog.text


class Headers(dict):
    """Headers that may be referenced weakly."""


def test_a_checked_answer_is_dropped_at_once(watch, counts):
    headers, freed = Headers(), threading.Event()
    reference = weakref.ref(headers, lambda _: freed.set())
    watch.add(answer()._replace(headers=headers))
    del headers
    watch.start()
    assert counts.recorded.wait(10)
    assert freed.wait(10)
    assert reference() is None


def test_a_watch_that_never_started_stops(watch):
    watch.add(answer())
    watch.stop()
