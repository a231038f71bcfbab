"""The time used for irreversible work while a clock is ahead."""

from hypothesis import given
from hypothesis import strategies as st

from relay.policy.clock_trust import MAX_IDLE_S, SETTLE_S, ClockTrust, limit_to_database_time

NOW = 1_800_000_000
DAY_S = 86_400
MONTH_S = 30 * DAY_S


def test_the_database_time_counts_when_our_clock_is_ahead():
    assert limit_to_database_time(NOW, NOW) == NOW
    assert limit_to_database_time(NOW + 60, NOW) == NOW + 60  # a small difference is allowed
    assert limit_to_database_time(NOW + MONTH_S, NOW) == NOW
    assert limit_to_database_time(NOW - MONTH_S, NOW) == NOW - MONTH_S


def test_a_clock_that_runs_evenly_is_trusted():
    trust = ClockTrust(NOW - 60, NOW, 0.0)
    assert [trust.get_trusted_time(NOW + at, float(at)) for at in (0, 60, DAY_S, MONTH_S)] == [
        NOW, NOW + 60, NOW + DAY_S, NOW + MONTH_S,
    ]  # fmt: skip


def test_a_clock_that_jumps_ahead_is_not_trusted_for_a_day():
    trust = ClockTrust(NOW, NOW, 0.0)
    assert trust.get_trusted_time(NOW + MONTH_S, 60.0) == NOW + 60
    assert trust.get_trusted_time(NOW + MONTH_S + 3600, 3660.0) == NOW + 3660
    assert trust.get_trusted_time(NOW + 7200, 7200.0) == NOW + 7200  # corrected


def test_a_corrected_clock_is_trusted_a_day_later():
    """The clock began in the past, as one without a battery does."""
    trust = ClockTrust(0, NOW - 10 * MONTH_S, 0.0)
    assert trust.get_trusted_time(NOW, 60.0) == NOW - 10 * MONTH_S + 60
    assert trust.get_trusted_time(NOW + SETTLE_S, 60.0 + SETTLE_S) == NOW + SETTLE_S


def test_a_process_that_starts_ahead_of_the_ledger_waits_a_day():
    trust = ClockTrust(NOW, NOW + MONTH_S, 5.0)
    assert trust.get_trusted_time(NOW + MONTH_S, 5.0) == NOW
    assert trust.get_trusted_time(NOW + MONTH_S + SETTLE_S, 5.0 + SETTLE_S) == NOW + MONTH_S + SETTLE_S
    assert ClockTrust(NOW, NOW + MAX_IDLE_S, 5.0).get_trusted_time(NOW + MAX_IDLE_S, 5.0) == NOW + MAX_IDLE_S


def test_a_wrong_time_in_the_ledger_does_not_affect_others():
    assert ClockTrust(NOW + MONTH_S, NOW, 0.0).get_trusted_time(NOW, 0.0) == NOW


def test_a_clock_that_is_set_back_is_trusted_at_once():
    trust = ClockTrust(NOW, NOW, 0.0)
    assert trust.get_trusted_time(NOW - MONTH_S, 60.0) == NOW - MONTH_S


@given(st.lists(st.tuples(st.integers(0, 40 * DAY_S), st.integers(1, DAY_S - 1)), max_size=8))
def test_jumps_within_a_day_do_not_advance_the_trusted_time(steps):
    trust, elapsed, true = ClockTrust(NOW, NOW, 0.0), 0, NOW
    for ahead, later in steps:
        if elapsed + later >= SETTLE_S:
            break
        elapsed, true = elapsed + later, true + later
        assert trust.get_trusted_time(true + ahead, float(elapsed)) <= true + 360 * (len(steps) + 1)
