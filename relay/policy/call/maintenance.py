"""정기점검: when an institution is down by its own plan, to the minute in Korea (50008; 지원-102 availability 03)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from relay.domain.authorization.consent import KOREA
from relay.policy.call.slot import DAY
from relay.policy.settings.portal import Maintenance

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK: Final = len(_DAYS) * DAY
_AHEAD: Final = _DAYS.index("thu") * DAY + 9 * 60
"""The minute of a Korean week, from Monday on, at which the epoch began: Thursday, 9 o'clock."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Maintenance ready to be asked about.

    `week` has one byte for each minute of a week in Korea, Monday first, 1 where it is down every week; empty when
    there is no such day. `once` are spans (first second, second after the last) since the epoch.
    """

    week: bytes
    once: tuple[tuple[int, int], ...]


def compile_maintenance(entries: Iterable[Maintenance]) -> Calendar | None:
    """The calendar of an institution's file, each entry with a day or a real date; None where it plans nothing.

    An end that is not after the start is on the next day.
    """
    minutes = bytearray(_WEEK)
    once: list[tuple[int, int]] = []
    for entry in entries:
        start, end = _minute(entry.start), _minute(entry.end)
        length = (end - start) % DAY or DAY
        if entry.date is not None:
            begin = _midnight(entry.date) + start * 60
            once.append((begin, begin + length * 60))
            continue
        for number, day in enumerate(_DAYS):
            if entry.day in {day, "daily"}:
                for minute in range(length):
                    minutes[(number * DAY + start + minute) % _WEEK] = 1
    week = bytes(minutes) if any(minutes) else b""
    return Calendar(week, tuple(sorted(once))) if week or once else None


def in_maintenance(calendar: Calendar | None, now: float) -> bool:
    """Whether it is down by its own plan at `now`, in seconds since the epoch."""
    if calendar is None:
        return False
    if calendar.week and calendar.week[(int(now // 60) + _AHEAD) % _WEEK]:
        return True
    return any(first <= now < after for first, after in calendar.once)


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[2:])


def _midnight(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=KOREA).timestamp())
