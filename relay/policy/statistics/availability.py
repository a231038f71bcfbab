"""API 서버 가용 여부 (지원-102): what is told of an institution by how it was met, and whether it can be reached.

Moments are seconds since the epoch.
"""

from enum import StrEnum
from typing import Final

from relay.domain.statistics import Pulse

ANSWERED_S: Final = 60
"""An institution that answered so lately is up."""

FAILED_S: Final = 300
FAILURES: Final = 3
"""One that failed so lately, and so often since it last answered, is down."""


class Availability(StrEnum):
    """정상, 장애, 시스템 점검, 기타."""

    NORMAL = "01"
    FAILING = "02"
    MAINTENANCE = "03"
    UNKNOWN = "99"


def by_pulse(pulse: Pulse | None, now: float) -> Availability | None:
    """What calls of these minutes tell; None when they tell nothing, because there were none or few.

    A moment as far in the future as it would be too old in the past is of a wrong clock and tells nothing either.
    """
    if pulse is None:
        return None
    failing = pulse.failures >= FAILURES and pulse.failed_at > pulse.answered_at
    if failing and abs(now - pulse.failed_at) <= FAILED_S:
        return Availability.FAILING
    return Availability.NORMAL if abs(now - pulse.answered_at) <= ANSWERED_S else None


def by_probe(reached: bool | None) -> Availability:
    """What an attempt to connect tells; None: it could not be made."""
    if reached is None:
        return Availability.UNKNOWN
    return Availability.NORMAL if reached else Availability.FAILING
