"""Weeks of statistics: Sunday to Saturday in Korea, named by the following Sunday, their inquiry_date (지원-005).

Days and weeks are written YYYYMMDD. Moments are seconds since the epoch.
"""

from datetime import date, timedelta
from typing import Final

from relay.domain.korea import date_in_korea, format_day, moment_of, parse_day

MAX_WEEKS: Final = 53
"""Number of complete weeks that the portal may request again (지원-104), and that sending makes up for."""

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(weeks=1)
_SUNDAY: Final = 7


def is_sunday(day: str) -> bool:
    """Returns whether `day` is a Sunday, written YYYYMMDD: only Sundays name a week."""
    try:
        return parse_day(day).isoweekday() == _SUNDAY
    except ValueError:
        return False


def days_of(week: str) -> tuple[str, ...]:
    """Returns the seven days before an inquiry_date, Sunday first. Raises ValueError when it is no Sunday."""
    first = _sunday(week) - _WEEK
    return tuple(format_day(first + number * _DAY) for number in range(7))


def week_of(day: str) -> str:
    """Returns the week of `day`: the Sunday after it. Raises ValueError for an invalid day."""
    date_ = parse_day(day)
    return format_day(date_ + (_SUNDAY - date_.isoweekday() % _SUNDAY) * _DAY)


def last_week(now: float) -> str:
    """Returns the last complete week at `now`; a week is complete when its Saturday is over."""
    today = date_in_korea(now)
    return format_day(today - today.isoweekday() % _SUNDAY * _DAY)


def weeks_back(week: str, now: float) -> int:
    """Returns how many weeks `week` is before the last complete one; below 0 it is not complete."""
    return (_sunday(last_week(now)) - _sunday(week)) // _WEEK


def complete_weeks(first_day: str, now: float) -> tuple[str, ...]:
    """Returns the complete weeks since that of `first_day`, the oldest first, at most MAX_WEEKS; none for ""."""
    if not first_day:
        return ()
    last = _sunday(last_week(now))
    count = min((last - _sunday(week_of(first_day))) // _WEEK + 1, MAX_WEEKS)
    return tuple(format_day(last - number * _WEEK) for number in reversed(range(count)))


def monday_due(week: str, clock: str) -> int:
    """Returns when a week's statistics are to be sent: `clock` (hhmm, Korea) of the Monday after its inquiry_date."""
    monday = _sunday(week) + _DAY
    return moment_of(monday, clock)


def next_monday(now: float, clock: str) -> int:
    """Returns the first regular sending time after `now`."""
    week = _sunday(last_week(now))
    moments = (monday_due(format_day(week + number * _WEEK), clock) for number in range(2))
    return next(moment for moment in moments if moment > now)


def _sunday(week: str) -> date:
    if not is_sunday(week):
        raise ValueError("a week is named by its inquiry_date, a Sunday, YYYYMMDD")
    return parse_day(week)
