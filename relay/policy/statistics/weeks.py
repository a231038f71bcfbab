"""Weeks of statistics: Sunday to Saturday in Korea, named by the following Sunday, their inquiry_date (지원-005).

Days and weeks are written YYYYMMDD. Moments are seconds since the epoch.
"""

from datetime import date, datetime, time, timedelta
from typing import Final

from relay.domain.authorization.consent import KOREA

WEEKS_MOST: Final = 53
"""Number of complete weeks that the portal may request again (지원-104), and that sending makes up for."""

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(weeks=1)
_SUNDAY: Final = 7


def korean_day(now: float) -> str:
    """Returns the day in Korea at `now`."""
    return _text(_date_at(now))


def is_sunday(day: str) -> bool:
    """Returns whether `day` is a Sunday, written YYYYMMDD: only Sundays name a week."""
    if len(day) != len("YYYYMMDD") or not (day.isascii() and day.isdigit()):
        return False
    try:
        return _date(day).isoweekday() == _SUNDAY
    except ValueError:
        return False


def days_of(week: str) -> tuple[str, ...]:
    """Returns the seven days before an inquiry_date, Sunday first. Raises ValueError when it is no Sunday."""
    first = _sunday(week) - _WEEK
    return tuple(_text(first + number * _DAY) for number in range(7))


def week_of(day: str) -> str:
    """Returns the week of `day`: the Sunday after it. Raises ValueError for an invalid day."""
    date_ = _date(day)
    return _text(date_ + (_SUNDAY - date_.isoweekday() % _SUNDAY) * _DAY)


def last_week(now: float) -> str:
    """Returns the last complete week at `now`; a week is complete when its Saturday is over."""
    today = _date_at(now)
    return _text(today - today.isoweekday() % _SUNDAY * _DAY)


def weeks_back(week: str, now: float) -> int:
    """Returns how many weeks `week` is before the last complete one; below 0 it is not complete."""
    return (_sunday(last_week(now)) - _sunday(week)) // _WEEK


def complete_weeks(first_day: str, now: float) -> tuple[str, ...]:
    """Returns the complete weeks since that of `first_day`, the oldest first, at most WEEKS_MOST; none for ""."""
    if not first_day:
        return ()
    last = _sunday(last_week(now))
    count = min((last - _sunday(week_of(first_day))) // _WEEK + 1, WEEKS_MOST)
    return tuple(_text(last - number * _WEEK) for number in reversed(range(count)))


def monday_due(week: str, clock: str) -> int:
    """Returns when a week's statistics are to be sent: `clock` (hhmm, Korea) of the Monday after its inquiry_date."""
    monday = _sunday(week) + _DAY
    return int(datetime.combine(monday, time(int(clock[:2]), int(clock[2:])), KOREA).timestamp())


def next_monday(now: float, clock: str) -> int:
    """Returns the first regular sending time after `now`."""
    week = _sunday(last_week(now))
    moments = (monday_due(_text(week + number * _WEEK), clock) for number in range(2))
    return next(moment for moment in moments if moment > now)


def _date_at(now: float) -> date:
    return datetime.fromtimestamp(now, KOREA).date()


def _date(day: str) -> date:
    return date(int(day[:4]), int(day[4:6]), int(day[6:]))


def _sunday(week: str) -> date:
    if not is_sunday(week):
        raise ValueError("a week is named by its inquiry_date, a Sunday, YYYYMMDD")
    return _date(week)


def _text(day: date) -> str:
    return f"{day:%Y%m%d}"
