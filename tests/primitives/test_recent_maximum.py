"""The largest value of this window and of the one before."""

import pytest

from relay.primitives.recent_maximum import WINDOW_S, RecentMaximum


def test_nothing_was_added_yet():
    assert RecentMaximum().get(1000.0) == 0.0


def test_the_largest_value_is_kept():
    maximum = RecentMaximum()
    for value in (1.0, 3.0, 2.0):
        maximum.add(value, 1000.0)
    assert maximum.get(1000.0) == 3.0


@pytest.mark.parametrize(
    ("later", "expected"),
    [(0.0, 3.0), (WINDOW_S - 1, 3.0), (WINDOW_S, 3.0), (2 * WINDOW_S - 1, 3.0), (2 * WINDOW_S, 0)],
)
def test_a_value_is_kept_for_one_to_two_windows(later, expected):
    maximum = RecentMaximum()
    maximum.add(3.0, 1000.0)
    assert maximum.get(1000.0 + later) == expected


def test_a_smaller_value_follows_when_the_larger_one_is_old():
    maximum = RecentMaximum()
    maximum.add(3.0, 1000.0)
    maximum.add(1.0, 1000.0 + WINDOW_S)
    assert maximum.get(1000.0 + WINDOW_S) == 3.0
    maximum.add(0.5, 1000.0 + 2 * WINDOW_S)
    assert maximum.get(1000.0 + 2 * WINDOW_S) == 1.0
    assert maximum.get(1000.0 + 3 * WINDOW_S) == 0.5


def test_a_value_after_a_long_pause_stands_alone():
    maximum = RecentMaximum()
    maximum.add(3.0, 1000.0)
    maximum.add(1.0, 1000.0 + 5 * WINDOW_S)
    assert maximum.get(1000.0 + 5 * WINDOW_S) == 1.0
