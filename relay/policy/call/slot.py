"""정기적 전송 가능 시간대: when an institution takes scheduled calls (규격 3.3.3; 50009)."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from relay.domain.fault import FAULTS, Refusal

DAY: Final = 24 * 60
"""Minutes of a day."""

_KOREA_AHEAD: Final = 9 * 60

Slots = bytes
"""One byte for each minute of a day in Korea, 1 where scheduled calls are taken; empty for always."""


def compile_slots(slots: Iterable[str]) -> Slots:
    """The minutes that slots `hhmm:hhmm` open: from the first minute to just before the last.

    A slot may go over midnight (`2200:0400`). No slots registered means always open; one that opens nothing
    (`0900:0900`) opens nothing.
    """
    return _minutes(tuple(slots))


@lru_cache(maxsize=1024)
def _minutes(slots: tuple[str, ...]) -> Slots:
    """PERF: 100 µs for a day; a registry that changes asks for those of every institution, and few of them differ."""
    minutes = bytearray(DAY)
    for slot in slots:
        start, end = (int(clock[:2]) * 60 + int(clock[2:]) for clock in slot.split(":"))
        for minute in range(start, end if start <= end else end + DAY):
            minutes[minute % DAY] = 1
    return bytes(minutes) if slots else b""


def korean_minute(now: float) -> int:
    """The minute of the day in Korea (0 to 1439) at `now`, in seconds since the epoch."""
    return (int(now // 60) + _KOREA_AHEAD) % DAY


def open_at(slots: Slots, minute: int) -> bool:
    """Whether scheduled calls are taken in this minute of the day."""
    return not slots or slots[minute] == 1


def check_slot(slots: Slots, now: float) -> None:
    """Judge a scheduled call that came at `now`, in seconds since the epoch. Raises Refusal(slot_closed)."""
    if slots and not slots[korean_minute(now)]:
        raise Refusal(FAULTS["slot_closed"])
