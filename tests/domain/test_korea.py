"""Korea's time: days begin at 15 hours UTC, times of day are hhmm."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain import korea

SEOUL = ZoneInfo("Asia/Seoul")
MIDNIGHT = 1_795_359_600
NOT_DAYS = ["", "2026070", "202607055", "20260230", "2026-7-5", "2027W011", "٢٠٢٦٠٧٠٥", "20260705 "]


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (0, date(1970, 1, 1)),
        (54_000, date(1970, 1, 2)),
        (53_999.9, date(1970, 1, 1)),
        (1_700_000_000, date(2023, 11, 15)),
        (MIDNIGHT - 0.001, date(2026, 11, 22)),
        (MIDNIGHT, date(2026, 11, 23)),
    ],
)
def test_a_day_begins_at_midnight_in_korea(now, day):
    assert korea.date_in_korea(now) == day
    assert korea.day_in_korea(now) == f"{day:%Y%m%d}"


@given(st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds of a strategy have no zone
def test_days_and_times_agree_with_the_time_zone_database(moment):
    seoul, now = moment.astimezone(SEOUL), moment.timestamp()
    assert korea.date_in_korea(now) == seoul.date()
    assert korea.minute_in_korea(now) == seoul.hour * 60 + seoul.minute
    assert korea.format_timestamp(now) == f"{seoul:%Y%m%d%H%M%S}"
    assert korea.start_of_day(seoul.date()) == datetime.combine(seoul, datetime.min.time(), SEOUL).timestamp()


@pytest.mark.parametrize(
    ("now", "sunday"),
    [
        (0, date(1969, 12, 28)),
        (MIDNIGHT, date(2026, 11, 22)),
        (MIDNIGHT - korea.DAY_S, date(2026, 11, 22)),
        (MIDNIGHT - korea.DAY_S - 0.001, date(2026, 11, 15)),
        (MIDNIGHT + 6 * korea.DAY_S - 0.5, date(2026, 11, 22)),
        (MIDNIGHT + 6 * korea.DAY_S, date(2026, 11, 29)),
    ],
)
def test_a_week_begins_on_sunday_at_midnight_in_korea(now, sunday):
    assert korea.start_of_week(now) == korea.start_of_day(sunday)


@given(st.integers(-(10**9), 10**10))
def test_every_moment_is_within_its_week(now):
    start = korea.start_of_week(now)
    assert korea.date_in_korea(start).isoweekday() == 7
    assert start <= now < start + korea.WEEK_S


def test_the_minutes_of_a_day_in_korea_begin_at_15_hours_utc():
    moments = (0.0, 59.9, 60.0, 15 * 3600 - 0.1, 15 * 3600.0)
    assert [korea.minute_in_korea(now) for now in moments] == [540, 540, 541, korea.MINUTES_PER_DAY - 1, 0]


@pytest.mark.parametrize(("clock", "after"), [("0000", 0), ("0001", 60), ("0930", 34_200), ("2359", 86_340)])
def test_a_clock_is_a_moment_of_a_day(clock, after):
    assert korea.moment_of(date(2026, 11, 23), clock) == MIDNIGHT + after


@pytest.mark.parametrize("day", ["20260705", "20240229", "00010101", "99991231"])
def test_a_formatted_day_is_read_back(day):
    assert korea.format_day(korea.parse_day(day)) == day


@pytest.mark.parametrize("text", NOT_DAYS)
def test_only_days_of_the_calendar_in_eight_digits_are_days(text):
    with pytest.raises(ValueError, match="day"):
        korea.parse_day(text)


def test_a_formatted_timestamp_is_read_back():
    assert korea.format_timestamp(MIDNIGHT) == "20261123000000"
    assert korea.parse_timestamp("20261123000000") == MIDNIGHT


@pytest.mark.parametrize("text", ["", "20261123", "20261123006000", "20260230000000", "2026112300000"])
def test_only_times_of_the_calendar_in_14_digits_are_timestamps(text):
    with pytest.raises(ValueError, match=r"time|day|remains"):
        korea.parse_timestamp(text)


def test_iso_times_have_whole_seconds_and_the_offset():
    assert korea.format_iso(MIDNIGHT + 61.5) == "2026-11-23T00:01:01+09:00"
