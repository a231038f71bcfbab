"""The time that irrevocable work goes by: our clock beside the database's, or beside a counter that nobody sets."""

import logging
import time
from collections.abc import Callable

from sqlalchemy import func, select, text

from relay.infra.ledger.database.engine import is_sqlite
from relay.infra.ledger.database.portal_tables import JOBS
from relay.infra.ledger.transaction import Works
from relay.policy.clock_trust import ClockTrust, believed_beside

_log = logging.getLogger(__name__)

_DATABASE_TIME = text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS bigint)")


def since_boot() -> float:
    """Seconds since the machine was started, sleep included; no setting of the clock changes it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class BelievedTime:
    """Tells the time to end consents and to remove records by. It is never later than what can be believed.

    PostgreSQL has a clock of its own. On SQLite, which shares our machine, the last time that jobs wrote and the time
    since then tell what the clock can show.
    """

    def __init__(self, works: Works, elapsed: Callable[[], float] = since_boot) -> None:
        self._works = works
        self._elapsed = elapsed
        self._trust: ClockTrust | None = None
        self._is_ahead = False

    async def believed(self, now: int) -> int:
        """`now`, or an earlier time while the clock that told it is ahead. Raises Unreachable."""
        found = await (self._beside_jobs(now) if is_sqlite(self._works.engine) else self._beside_database(now))
        if (found < now) != self._is_ahead:
            self._is_ahead = found < now
            if self._is_ahead:
                _log.error("clock ahead, nothing is ended or removed by it: ahead_s=%d", now - found)
            else:
                _log.warning("clock believed again")
        return found

    async def _beside_database(self, now: int) -> int:
        async with self._works.reading() as rows:
            other: int = (await rows.execute(_DATABASE_TIME)).scalar_one()
        return believed_beside(now, other)

    async def _beside_jobs(self, now: int) -> int:
        if self._trust is None:
            async with self._works.reading() as rows:
                latest: int = (await rows.execute(select(func.max(JOBS.c.ended_at)))).scalar_one() or 0
            self._trust = ClockTrust(latest, now, self._elapsed())
        return self._trust.believed(now, self._elapsed())
