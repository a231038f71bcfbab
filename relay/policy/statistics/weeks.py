"""Weeks of statistics: Sunday to Saturday in Korea, named by the Sunday after, their inquiry_date (지원-005).

Days and weeks are written YYYYMMDD. Moments are seconds since the epoch.
"""

from datetime import date, datetime, time, timedelta
from typing import Final

from relay.domain.authorization.consent import KOREA

WEEKS_MOST: Final = 53
"""How many complete weeks the portal may ask for again (지원-104), and how far back sending makes up for a week."""

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(weeks=1)
_SUNDAY: Final = 7


def korean_day(now: float) -> str:
    """The day in Korea at `now`."""
    return _text(_date_at(now))


def is_sunday(day: str) -> bool:
    """Whether `day` is a Sunday of the calendar, written YYYYMMDD: only such a day names a week."""
    if len(day) != len("YYYYMMDD") or not (day.isascii() and day.isdigit()):
        return False
    try:
        return _date(day).isoweekday() == _SUNDAY
    except ValueError:
        return False


def days_of(week: str) -> tuple[str, ...]:
    """The seven days of a week, Sunday first: those before its inquiry_date. Raises ValueError when it is no Sunday."""
    first = _sunday(week) - _WEEK
    return tuple(_text(first + number * _DAY) for number in range(7))


def week_of(day: str) -> str:
    """The week that `day` is in: the Sunday after it. Raises ValueError for what is no day."""
    found = _date(day)
    return _text(found + (_SUNDAY - found.isoweekday() % _SUNDAY) * _DAY)


def last_week(now: float) -> str:
    """The last complete week at `now`: this Sunday, or the one before; a week is complete when its Saturday is over."""
    today = _date_at(now)
    return _text(today - today.isoweekday() % _SUNDAY * _DAY)


def weeks_back(week: str, now: float) -> int:
    """How many weeks `week` is before the last complete one: 0 is that one, below 0 it is not complete yet."""
    return (_sunday(last_week(now)) - _sunday(week)) // _WEEK


def complete_weeks(first_day: str, now: float) -> tuple[str, ...]:
    """The complete weeks since the one `first_day` is in, the oldest first, at most WEEKS_MOST; none for ""."""
    if not first_day:
        return ()
    last = _sunday(last_week(now))
    count = min((last - _sunday(week_of(first_day))) // _WEEK + 1, WEEKS_MOST)
    return tuple(_text(last - number * _WEEK) for number in reversed(range(count)))


def monday_due(week: str, clock: str) -> int:
    """The moment a week's statistics are to be sent: `clock` (hhmm, Korea) of the Monday after its inquiry_date."""
    monday = _sunday(week) + _DAY
    return int(datetime.combine(monday, time(int(clock[:2]), int(clock[2:])), KOREA).timestamp())


def next_monday(now: float, clock: str) -> int:
    """The first moment after `now` at which a week's statistics are to be sent by themselves."""
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
