"""Weeks: Sunday to Saturday in Korea, named by the following Sunday."""

from datetime import datetime

import pytest

from relay.domain.korea import KOREA
from relay.policy.statistics import weeks


def at(text):
    """Returns `YYYYMMDD hhmmss` in Korea in epoch seconds."""
    return datetime.strptime(text, "%Y%m%d %H%M%S").replace(tzinfo=KOREA).timestamp()


@pytest.mark.parametrize(
    ("week", "first", "last"),
    [
        ("20260705", "20260628", "20260704"),  # over the end of a month
        ("20270103", "20261227", "20270102"),  # over the end of a year
        ("20240303", "20240225", "20240302"),  # a leap day in it
        ("20230305", "20230226", "20230304"),  # none in it
    ],
)
def test_a_week_is_the_seven_days_before_its_sunday(week, first, last):
    days = weeks.days_of(week)
    assert len(set(days)) == 7
    assert (days[0], days[-1]) == (first, last)
    assert {weeks.week_of(day) for day in days} == {week}
    assert weeks.week_of(week) != week


def test_the_leap_day_is_a_day_of_its_week():
    assert "20240229" in weeks.days_of("20240303")
    assert weeks.days_of("20230305")[3] == "20230301"


@pytest.mark.parametrize("week", ["20260704", "20260706", "", "2026070", "20260230", "2026-7-5", "٢٠٢٦٠٧٠٥"])
def test_only_a_sunday_names_a_week(week):
    assert not weeks.is_sunday(week)
    with pytest.raises(ValueError, match="a Sunday"):
        weeks.days_of(week)


@pytest.mark.parametrize(
    ("moment", "week"),
    [
        ("20260704 235959", "20260628"),  # Saturday is not over
        ("20260705 000000", "20260705"),  # midnight in Korea ends it
        ("20260705 085959", "20260705"),  # Saturday still in London
        ("20260706 040000", "20260705"),
        ("20260711 235959", "20260705"),
        ("20260712 000000", "20260712"),
        ("20270102 235959", "20261227"),
        ("20270103 000000", "20270103"),
    ],
)
def test_a_week_is_complete_when_its_saturday_is_over_in_korea(moment, week):
    assert weeks.last_week(at(moment)) == week
    assert weeks.weeks_back(week, at(moment)) == 0


def test_weeks_are_counted_back_from_the_last_complete_one():
    now = at("20260706 040000")
    assert [weeks.weeks_back(week, now) for week in ("20260712", "20260705", "20260628", "20250706")] == [-1, 0, 1, 52]


def test_without_counts_there_are_no_weeks():
    assert weeks.complete_weeks("", at("20260706 040000")) == ()


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("20260705", ()),  # counted in the running week only
        ("20260704", ("20260705",)),
        ("20260628", ("20260705",)),
        ("20260627", ("20260628", "20260705")),
    ],
)
def test_weeks_are_complete_since_the_first_day_with_counts(first, expected):
    assert weeks.complete_weeks(first, at("20260706 040000")) == expected


def test_at_most_fifty_three_weeks_are_returned():
    result = weeks.complete_weeks("20200101", at("20260706 040000"))
    assert len(result) == weeks.MAX_WEEKS
    assert (result[0], result[-1]) == ("20250706", "20260705")


@pytest.mark.parametrize(
    ("week", "clock", "moment"),
    [
        ("20260705", "0400", "20260706 040000"),
        ("20260705", "0000", "20260706 000000"),
        ("20270103", "2359", "20270104 235900"),
        ("20240225", "0900", "20240226 090000"),
    ],
)
def test_a_week_is_sent_on_the_monday_after_its_sunday(week, clock, moment):
    assert weeks.monday_due(week, clock) == at(moment)


@pytest.mark.parametrize(
    ("now", "moment"),
    [
        ("20260705 120000", "20260706 040000"),
        ("20260706 035959", "20260706 040000"),
        ("20260706 040000", "20260713 040000"),
        ("20261231 000000", "20270104 040000"),
    ],
)
def test_the_next_monday_is_after_now(now, moment):
    assert weeks.next_monday(at(now), "0400") == at(moment)
