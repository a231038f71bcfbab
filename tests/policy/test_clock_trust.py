"""Which time irrevocable work goes by while a clock runs ahead."""

from hypothesis import given
from hypothesis import strategies as st

from relay.policy.clock_trust import SETTLES_S, SILENT_MOST_S, ClockTrust, believed_beside

NOW = 1_800_000_000
DAY_S = 86_400
MONTH_S = 30 * DAY_S


def test_of_two_clocks_the_earlier_counts_once_ours_is_ahead():
    assert believed_beside(NOW, NOW) == NOW
    assert believed_beside(NOW + 60, NOW) == NOW + 60  # clocks differ a little
    assert believed_beside(NOW + MONTH_S, NOW) == NOW
    assert believed_beside(NOW - MONTH_S, NOW) == NOW - MONTH_S


def test_a_clock_that_runs_evenly_is_believed():
    trust = ClockTrust(NOW - 60, NOW, 0.0)
    assert [trust.believed(NOW + at, float(at)) for at in (0, 60, DAY_S, MONTH_S)] == [
        NOW, NOW + 60, NOW + DAY_S, NOW + MONTH_S,
    ]  # fmt: skip


def test_a_clock_that_jumps_ahead_is_not_believed_for_a_day():
    trust = ClockTrust(NOW, NOW, 0.0)
    assert trust.believed(NOW + MONTH_S, 60.0) == NOW + 60
    assert trust.believed(NOW + MONTH_S + 3600, 3660.0) == NOW + 3660
    assert trust.believed(NOW + 7200, 7200.0) == NOW + 7200  # set right


def test_a_clock_that_was_set_right_by_a_jump_is_believed_a_day_later():
    """It began in the past, as one without a battery does."""
    trust = ClockTrust(0, NOW - 10 * MONTH_S, 0.0)
    assert trust.believed(NOW, 60.0) == NOW - 10 * MONTH_S + 60
    assert trust.believed(NOW + SETTLES_S, 60.0 + SETTLES_S) == NOW + SETTLES_S


def test_a_process_that_starts_ahead_of_the_ledger_waits_a_day():
    trust = ClockTrust(NOW, NOW + MONTH_S, 5.0)
    assert trust.believed(NOW + MONTH_S, 5.0) == NOW
    assert trust.believed(NOW + MONTH_S + SETTLES_S, 5.0 + SETTLES_S) == NOW + MONTH_S + SETTLES_S
    assert ClockTrust(NOW, NOW + SILENT_MOST_S, 5.0).believed(NOW + SILENT_MOST_S, 5.0) == NOW + SILENT_MOST_S


def test_what_a_wrong_clock_left_in_the_ledger_makes_no_other_wrong():
    assert ClockTrust(NOW + MONTH_S, NOW, 0.0).believed(NOW, 0.0) == NOW


def test_a_clock_that_is_set_back_is_believed_at_once():
    trust = ClockTrust(NOW, NOW, 0.0)
    assert trust.believed(NOW - MONTH_S, 60.0) == NOW - MONTH_S


@given(st.lists(st.tuples(st.integers(0, 40 * DAY_S), st.integers(1, DAY_S - 1)), max_size=8))
def test_jumps_make_no_time_later_than_it_can_be_within_a_day(steps):
    trust, elapsed, true = ClockTrust(NOW, NOW, 0.0), 0, NOW
    for ahead, later in steps:
        if elapsed + later >= SETTLES_S:
            break
        elapsed, true = elapsed + later, true + later
        assert trust.believed(true + ahead, float(elapsed)) <= true + 360 * (len(steps) + 1)
