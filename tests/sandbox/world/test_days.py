"""Date arithmetic."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mydata_sandbox.world.days import (
    add_months,
    count_months,
    find_next_anniversary,
    find_term,
    get_month_end,
    iter_months,
)

DAYS = st.dates(date(2005, 1, 1), date(2060, 12, 31))


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2023, 12, 15), 1, date(2024, 1, 15)),
        (date(2024, 3, 31), -1, date(2024, 2, 29)),
        (date(2024, 5, 5), 0, date(2024, 5, 5)),
    ],
)
def test_adding_months_keeps_the_day_or_takes_the_last(day, months, later):
    assert add_months(day, months) == later


@given(DAYS, DAYS)
def test_counted_months_are_whole_months(start, day):
    months = count_months(start, day)
    if day >= start:
        assert add_months(start, months) <= day < add_months(start, months + 1)
    else:
        assert months < 0


@given(DAYS, st.integers(1, 60), st.integers(0, 9000))
def test_a_day_lies_in_its_term(first, months, days):
    day = date.fromordinal(first.toordinal() + days)
    start, end = find_term(first, months, day)
    assert first <= start <= day < end


@given(DAYS, DAYS)
def test_the_next_anniversary_is_later(of, after):
    coming = find_next_anniversary(of, after)
    assert coming > after
    assert coming.month == of.month
    assert get_month_end(coming) >= coming


def test_all_months_of_a_period_are_listed():
    assert list(iter_months(date(2025, 11, 30), date(2026, 1, 1))) == [
        date(2025, 11, 1),
        date(2025, 12, 1),
        date(2026, 1, 1),
    ]
