"""Removes old rows from the ledger once a day: the law requires them for a limited time."""

from dataclasses import dataclass

from relay.domain.jobs import Archive, RetentionLimits
from relay.domain.korea import DAY_S, date_in_korea, day_in_korea, moment_of
from relay.policy.settings.portal import RetentionSettings


def build_limits(retention: RetentionSettings, now: int) -> RetentionLimits:
    """Returns the limits at `now`: rows that ended before them may be removed."""
    return RetentionLimits(
        consents=now - retention.consents_days * DAY_S,
        requests=now - retention.requests_days * DAY_S,
        spent=now - retention.spent_days * DAY_S,
        statistics=day_in_korea(now - retention.statistics_weeks * 7 * DAY_S),
        calls=now - retention.portal_calls_days * DAY_S,
    )


def next_time_of_day(clock: str, now: int) -> int:
    """Returns the next moment after `now` when it is `clock` (hhmm) in Korea, in epoch seconds."""
    today = moment_of(date_in_korea(now), clock)
    return today if today > now else today + DAY_S


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
