"""What is over for long leaves the ledger, once a day: the law wants it kept for a while, and not for ever."""

from dataclasses import dataclass
from typing import Final

from relay.domain.jobs import Archive, Limits
from relay.policy.settings.portal import Retention
from relay.policy.statistics.weeks import korean_day

_DAY_S: Final = 86_400
_KOREA_AHEAD_S: Final = 9 * 3600


def limits_of(retention: Retention, now: int) -> Limits:
    """What may go at `now`: everything that was over before these moments."""
    return Limits(
        consents=now - retention.consents_days * _DAY_S,
        requests=now - retention.requests_days * _DAY_S,
        spent=now - retention.spent_days * _DAY_S,
        statistics=korean_day(now - retention.statistics_weeks * 7 * _DAY_S),
        calls=now - retention.portal_calls_days * _DAY_S,
    )


def next_at(clock: str, now: int) -> int:
    """The next moment it is `clock` (hhmm) in Korea after `now`, epoch seconds."""
    midnight = (now + _KOREA_AHEAD_S) // _DAY_S * _DAY_S - _KOREA_AHEAD_S
    today = midnight + int(clock[:2]) * 3600 + int(clock[2:]) * 60
    return today if today > now else today + _DAY_S


@dataclass(frozen=True, slots=True)
class Tidying:
    """The job: purges the archive by these limits."""

    archive: Archive
    retention: Retention

    async def run(self, fence: int, now: int) -> str:
        """One purge; what went, in words. Raises Superseded."""
        gone = await self.archive.purge(limits_of(self.retention, now), fence, now)
        told = [f"{count} of {kind}" for kind, count in sorted(gone.items()) if count]
        return f"removed {', '.join(told)}" if told else "nothing is old enough to go"
