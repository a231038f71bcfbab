"""정기적 전송 가능 시간대: the times at which an institution accepts scheduled calls (규격 3.3.3; 50009)."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from relay.domain.fault import FAULTS, Refusal
from relay.domain.korea import MINUTES_PER_DAY, minute_in_korea, parse_clock

Slots = bytes
"""One byte for each minute of a day in Korea, 1 where scheduled calls are accepted; empty means always."""

_OPEN: Final = re.compile(b"\x01+")
"""An uninterrupted open time."""


def compile_slots(slots: Iterable[str]) -> Slots:
    """Returns the open minutes of slots `hhmm:hhmm`, from the first minute to just before the last.

    A slot may cross midnight (`2200:0400`). An institution without slots is always open; the slot `0900:0900` opens
    no minute.
    """
    return _compile(tuple(slots))


@lru_cache(maxsize=1024)
def _compile(slots: tuple[str, ...]) -> Slots:
    """PERF: 100 µs for a day; a registry change compiles the slots of all institutions, and few of them differ."""
    minutes = bytearray(MINUTES_PER_DAY)
    for slot in slots:
        start, end = map(parse_clock, slot.split(":"))
        for minute in range(start, end if start <= end else end + MINUTES_PER_DAY):
            minutes[minute % MINUTES_PER_DAY] = 1
    return bytes(minutes) if slots else b""


def check_slot(slots: Slots, now: float) -> None:
    """Checks a scheduled call received at `now`, in seconds since the epoch. Raises Refusal(slot_closed)."""
    if slots and not slots[minute_in_korea(now)]:
        raise Refusal(FAULTS["slot_closed"], describe_slots(slots))


def describe_slots(slots: Slots) -> str:
    """Returns the open times for a refusal: `01:00~05:00, 22:00~24:00`, in Korea."""
    times = [f"{_format_minute(match.start())}~{_format_minute(match.end())}" for match in _OPEN.finditer(slots)]
    return ", ".join(times)


def _format_minute(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
