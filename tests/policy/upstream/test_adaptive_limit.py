"""How many calls an institution may have at once, by how fast it responds."""

import pytest

from relay.policy.upstream.adaptive_limit import AdaptiveLimit


def respond(limit, seconds, windows, begin=0.0, calls=20):
    """Records responses of so many windows of a second. Returns the limits after each."""
    limits = []
    for window in range(windows):
        for call in range(calls):
            limit.record(seconds, begin + window + call / calls)
        limits.append(limit.limit)
    return limits


@pytest.fixture
def usual():
    limit = AdaptiveLimit(64)
    respond(limit, 0.05, 5)
    return limit


def test_usual_times_leave_the_maximum(usual):
    assert respond(usual, 0.09, 20, 10.0) == [64] * 20


def test_slow_responses_lower_the_limit_step_by_step(usual):
    limits = respond(usual, 0.5, 6, 10.0)
    assert limits == sorted(limits, reverse=True)
    assert limits[-1] == 16


def test_the_limit_grows_back_when_responses_are_fast_again(usual):
    respond(usual, 0.5, 6, 10.0)
    limits = respond(usual, 0.05, 12, 20.0)
    assert limits == sorted(limits)
    assert limits[-1] == 64


def test_a_lasting_change_becomes_usual(usual):
    assert respond(usual, 0.2, 90, 10.0)[-1] == 64


@pytest.mark.parametrize(("maximum", "least"), [(1, 1), (4, 4), (5, 4), (200, 50)])
def test_the_limit_stays_between_its_bounds(maximum, least):
    limit = AdaptiveLimit(maximum)
    respond(limit, 0.001, 3)
    assert min(respond(limit, 5.0, 8, 10.0)) == least
    assert max(respond(limit, 0.001, 30, 20.0)) == maximum


def test_few_responses_say_nothing(usual):
    assert respond(usual, 5.0, 10, 10.0, calls=5) == [64] * 10


def test_a_low_limit_grows_again_with_few_slow_responses(usual):
    respond(usual, 5.0, 6, 10.0)
    assert usual.limit == 16
    assert respond(usual, 5.0, 600, 20.0, calls=3)[-1] == 64
