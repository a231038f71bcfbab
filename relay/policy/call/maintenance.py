"""정기점검: the planned maintenance of an institution, to the minute in Korea (50008; 지원-102 availability 03)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from relay.domain.korea import MINUTES_PER_DAY, UTC_OFFSET_MINUTES, parse_clock, start_of_day
from relay.policy.settings.portal import MaintenanceWindow

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK: Final = len(_DAYS) * MINUTES_PER_DAY
_EPOCH_MINUTE: Final = _DAYS.index("thu") * MINUTES_PER_DAY + UTC_OFFSET_MINUTES
"""Minute of the Korean week (from Monday) at which the epoch began: Thursday 09:00."""


@dataclass(frozen=True, slots=True)
class MaintenanceCalendar:
    """The maintenance times of one institution, prepared for look-ups.

    `weekly` has one byte for each minute of a week in Korea, Monday first, 1 for maintenance; empty without weekly
    maintenance. `single` are spans (first second, second after the last) since the epoch.
    """

    weekly: bytes
    single: tuple[tuple[int, int], ...]


def compile_maintenance(entries: Iterable[MaintenanceWindow]) -> MaintenanceCalendar | None:
    """Returns the calendar of the entries, each with a day of the week or a date; None without entries.

    An end that is not after the start is on the next day.
    """
    minutes = bytearray(_WEEK)
    single: list[tuple[int, int]] = []
    for entry in entries:
        start, end = parse_clock(entry.start), parse_clock(entry.end)
        length = (end - start) % MINUTES_PER_DAY or MINUTES_PER_DAY
        if entry.date is not None:
            begin = start_of_day(date.fromisoformat(entry.date)) + start * 60
            single.append((begin, begin + length * 60))
            continue
        for number, day in enumerate(_DAYS):
            if entry.day in {day, "daily"}:
                for minute in range(length):
                    minutes[(number * MINUTES_PER_DAY + start + minute) % _WEEK] = 1
    weekly = bytes(minutes) if any(minutes) else b""
    return MaintenanceCalendar(weekly, tuple(sorted(single))) if weekly or single else None


def is_in_maintenance(calendar: MaintenanceCalendar | None, now: float) -> bool:
    """Whether the calendar has maintenance at `now`, in seconds since the epoch."""
    if calendar is None:
        return False
    if calendar.weekly and calendar.weekly[(int(now // 60) + _EPOCH_MINUTE) % _WEEK]:
        return True
    return any(first <= now < after for first, after in calendar.single)
