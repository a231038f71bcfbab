"""Removes old rows from the ledger once a day: the law requires them for a limited time."""

from dataclasses import dataclass
from typing import Final

from relay.domain.jobs import Archive, RetentionLimits
from relay.policy.settings.portal import RetentionSettings
from relay.policy.statistics.weeks import korean_day

_DAY_S: Final = 86_400
_KOREA_AHEAD_S: Final = 9 * 3600


def build_limits(retention: RetentionSettings, now: int) -> RetentionLimits:
    """Returns the limits at `now`: rows that ended before them may be removed."""
    return RetentionLimits(
        consents=now - retention.consents_days * _DAY_S,
        requests=now - retention.requests_days * _DAY_S,
        spent=now - retention.spent_days * _DAY_S,
        statistics=korean_day(now - retention.statistics_weeks * 7 * _DAY_S),
        calls=now - retention.portal_calls_days * _DAY_S,
    )


def next_time_of_day(clock: str, now: int) -> int:
    """Returns the next moment after `now` when it is `clock` (hhmm) in Korea, in epoch seconds."""
    midnight = (now + _KOREA_AHEAD_S) // _DAY_S * _DAY_S - _KOREA_AHEAD_S
    today = midnight + int(clock[:2]) * 3600 + int(clock[2:]) * 60
    return today if today > now else today + _DAY_S


@dataclass(frozen=True, slots=True)
class RetentionJob:
    """The job that purges the archive by these limits."""

    archive: Archive
    retention: RetentionSettings

    async def run(self, fence: int, now: int) -> str:
        """Purges once. Returns what was removed, in words. Raises Superseded."""
        removed = await self.archive.purge(build_limits(self.retention, now), fence, now)
        parts = [f"{count} of {kind}" for kind, count in sorted(removed.items()) if count]
        return f"removed {', '.join(parts)}" if parts else "nothing to remove"
