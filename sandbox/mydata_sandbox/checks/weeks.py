"""Weeks of statistics: Sunday to Saturday in Korea, named by the Sunday after them (inquiry_date, 지원-004)."""

from datetime import date, datetime, timedelta, timezone
from typing import Final

_KOREA: Final = timezone(timedelta(hours=9))
_SUNDAY: Final = 6
"""date.weekday() of a Sunday."""


def last_week(now: float) -> str:
    """Returns the last complete week at `now`: the latest Sunday in Korea, YYYYMMDD."""
    day = datetime.fromtimestamp(now, _KOREA).date()
    while day.weekday() != _SUNDAY:
        day -= timedelta(days=1)
    return day.strftime("%Y%m%d")


def days_of(week: str) -> tuple[str, ...]:
    """Returns the seven days of a week, YYYYMMDD, Sunday first. Raises ValueError when `week` is no Sunday."""
    end = date.fromisoformat(f"{week[:4]}-{week[4:6]}-{week[6:]}")
    if end.weekday() != _SUNDAY:
        raise ValueError(f"{week} is no Sunday")
    return tuple((end - timedelta(days=number)).strftime("%Y%m%d") for number in range(7, 0, -1))
