"""Tests of GCRA: no window holds more requests than burst and rate allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.policy.quota.bucket import Bucket
from relay.policy.settings.scalars import Rate

SLACK = 1e-6
"""The rounding error of floats over a day of seconds."""


def allow(bucket, times):
    """Return the times, of `times`, at which a request was allowed."""
    next_at, allowed_at = 0.0, []
    for now in times:
        if not bucket.get_wait_s(next_at, now):
            next_at = bucket.advance(next_at, now)
            allowed_at.append(now)
    return allowed_at


rates = st.builds(Rate, per_second=st.floats(0.01, 10_000), burst=st.integers(1, 200))
gaps = st.lists(st.floats(0, 3, allow_subnormal=False), min_size=1, max_size=150)


@given(rates, gaps, st.floats(0, 86_400))
def test_no_window_holds_more_than_burst_and_rate(rate, gaps, start):
    times, now = [], start
    for gap in gaps:
        now += gap
        times.append(now)
    allowed_at = allow(Bucket.of(rate), times)
    for first, begin in enumerate(allowed_at):
        for last in range(first, len(allowed_at)):
            allowed = rate.burst + rate.per_second * (allowed_at[last] - begin)
            assert last - first + 1 <= allowed * (1 + SLACK) + SLACK


exact = st.builds(Rate, per_second=st.integers(-4, 10).map(lambda power: 2.0**power), burst=st.integers(1, 200))
"""Rates whose intervals are exact floats."""


@given(exact, st.integers(1000, 86_400))
def test_an_idle_bucket_allows_exactly_its_burst_at_once(rate, now):
    assert len(allow(Bucket.of(rate), [now] * (rate.burst + 1))) == rate.burst


@given(rates, st.floats(1000, 86_400), st.integers(1, 500))
def test_a_request_after_the_stated_wait_is_allowed(rate, now, refused):
    bucket, next_at = Bucket.of(rate), 0.0
    for _ in range(rate.burst):
        next_at = bucket.advance(next_at, now)
    waits = {bucket.get_wait_s(next_at, now) for _ in range(refused)}
    assert len(waits) == 1  # a refusal does not count
    (wait,) = waits
    assert 0 < wait <= bucket.interval * (1 + SLACK) + SLACK
    assert bucket.get_wait_s(next_at, now + wait + SLACK) == 0.0


@pytest.mark.parametrize(
    ("rate", "next_at", "now", "wait"),
    [
        ((10, 1), 0.0, 100.0, 0.0),
        ((10, 1), 100.1, 100.0, 0.1),
        ((10, 5), 100.4, 100.0, 0.0),
        ((10, 5), 100.5, 100.0, 0.1),
        ((0.5, 1), 102.0, 100.0, 2.0),
    ],
)
def test_the_wait_is_the_time_until_the_next_request_is_allowed(rate, next_at, now, wait):
    bucket = Bucket.of(Rate(per_second=rate[0], burst=rate[1]))
    assert bucket.get_wait_s(next_at, now) == pytest.approx(wait, abs=2e-6)  # within the rounding tolerance
    assert bucket.advance(next_at, now) == pytest.approx(max(next_at, now) + 1 / rate[0])


@given(st.floats(0.01, 1e5), st.integers(1, 200), st.floats(0, 1e7))
def test_rounding_never_refuses_the_last_request_of_a_burst(per_second, burst, now):
    bucket = Bucket.of(Rate(per_second=per_second, burst=burst))
    next_at = 0.0
    for _ in range(burst):
        assert bucket.get_wait_s(next_at, now) == 0.0
        next_at = bucket.advance(next_at, now)
