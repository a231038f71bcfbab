"""When calls to an institution stop, and when they begin again."""

import pytest

from relay.policy.upstream.breaker import LEAST_FAILURES, PROBE_S, WINDOW_S, Breaker

NOW = 50.0


def fail(breaker, times, now=NOW):
    for _ in range(times):
        breaker.record_failure(now)


@pytest.fixture
def opened():
    breaker = Breaker()
    fail(breaker, LEAST_FAILURES)
    return breaker


def test_failures_in_a_row_open_the_breaker(opened):
    assert (opened.is_open, opened.get_wait_s(NOW)) == (True, PROBE_S)


def test_one_response_in_between_keeps_it_closed():
    breaker = Breaker()
    fail(breaker, LEAST_FAILURES - 1)
    breaker.record_success()
    fail(breaker, LEAST_FAILURES - 1)
    assert (breaker.is_open, breaker.get_wait_s(NOW)) == (False, 0.0)


def test_failures_of_long_ago_do_not_count():
    breaker = Breaker()
    fail(breaker, LEAST_FAILURES - 1)
    fail(breaker, LEAST_FAILURES - 1, NOW + WINDOW_S + 1)
    assert not breaker.is_open


def test_one_call_a_second_is_sent_while_it_is_open(opened):
    sent = [step / 10 for step in range(50) if opened.get_wait_s(NOW + step / 10) == 0]
    assert sent == [1.0, 2.0, 3.0, 4.0]


def test_a_response_closes_it(opened):
    opened.record_success()
    assert [opened.get_wait_s(NOW) for _ in range(3)] == [0.0] * 3


def test_a_failed_probe_leaves_it_open(opened):
    assert opened.get_wait_s(NOW + 1) == 0
    opened.record_failure(NOW + 3)
    assert opened.get_wait_s(NOW + 1.5) == pytest.approx(0.5)
