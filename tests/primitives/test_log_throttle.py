"""Log lines of one key are at least a second apart and count all events."""

from hypothesis import given
from hypothesis import strategies as st

from relay.primitives.log_throttle import LogThrottle


def test_one_line_a_second_counts_the_events():
    throttle = LogThrottle()
    counts = [throttle.count_event("key", now) for now in (100.0, 100.1, 100.999, 101.0, 101.5, 200.0, 300.0)]
    assert counts == [1, 0, 0, 3, 0, 2, 1]


def test_each_key_has_its_own_rate():
    throttle = LogThrottle()
    assert [throttle.count_event(key, 100.0) for key in ("a", "a", "b", "a", "c")] == [1, 0, 1, 0, 1]
    assert throttle.count_event("a", 101.0) == 3


def test_a_clock_that_was_set_back_suppresses_no_line():
    throttle = LogThrottle()
    assert [throttle.count_event("key", now) for now in (100.0, 50.0, 50.5)] == [1, 1, 0]


@given(st.lists(st.floats(0, 100)))
def test_no_event_is_counted_twice_or_lost(moments):
    throttle = LogThrottle()
    logged = sum(throttle.count_event("key", now) for now in sorted(moments))
    assert logged + throttle.count_event("key", 1000.0) == len(moments) + 1


def test_a_longer_interval_and_a_forgotten_key():
    throttle = LogThrottle(600.0)
    assert [throttle.count_event("key", now) for now in (100.0, 105.0, 699.0, 700.0, 705.0)] == [1, 0, 0, 3, 0]
    throttle.forget("key")
    assert throttle.count_event("key", 706.0) == 1
