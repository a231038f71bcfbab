"""API 서버 가용 여부 (지원-102): availability of an institution by its passive health or by a probe.

Moments are seconds since the epoch.
"""

from enum import StrEnum
from typing import Final

from relay.domain.statistics import Pulse

ANSWERED_S: Final = 60
"""An institution that answered within this time is up."""

FAILED_S: Final = 300
FAILURES: Final = 3
"""An institution that failed within this time, and this often since its last answer, is down."""


class Availability(StrEnum):
    """정상, 장애, 시스템 점검, 기타."""

    NORMAL = "01"
    FAILING = "02"
    MAINTENANCE = "03"
    UNKNOWN = "99"


def by_pulse(pulse: Pulse | None, now: float) -> Availability | None:
    """Returns the availability by recent calls; None when there were none or too few.

    A moment in the future is as unreliable as one in the past: beyond the same distance it is ignored.
    """
    if pulse is None:
        return None
    failing = pulse.failures >= FAILURES and pulse.failed_at > pulse.answered_at
    if failing and abs(now - pulse.failed_at) <= FAILED_S:
        return Availability.FAILING
    return Availability.NORMAL if abs(now - pulse.answered_at) <= ANSWERED_S else None


def by_probe(reached: bool | None) -> Availability:
    """Returns the availability by a connection attempt; None: the attempt was not possible."""
    if reached is None:
        return Availability.UNKNOWN
    return Availability.NORMAL if reached else Availability.FAILING
