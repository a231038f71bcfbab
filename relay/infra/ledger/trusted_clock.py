"""A clock for irreversible actions: the machine's clock, checked against the database's or a monotonic counter."""

import logging
import time
from collections.abc import Callable

from sqlalchemy import func, select, text

from relay.infra.ledger.database.engine import is_sqlite
from relay.infra.ledger.database.portal_tables import JOBS
from relay.infra.ledger.transaction import Transactions
from relay.policy.clock_trust import ClockTrust, limit_to_database_time

_log = logging.getLogger(__name__)

_DATABASE_TIME = text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS bigint)")


def since_boot() -> float:
    """Returns seconds since the machine was started, sleep included. Setting the clock does not change it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class TrustedClock:
    """Limits the time by which consents end and records are removed, in case the machine's clock is ahead.

    PostgreSQL has a clock of its own. SQLite shares the machine: the last time that a job wrote, plus the seconds
    counted since then, is the limit.
    """

    def __init__(self, transactions: Transactions, elapsed: Callable[[], float] = since_boot) -> None:
        self._transactions = transactions
        self._elapsed = elapsed
        self._trust: ClockTrust | None = None
        self._is_ahead = False

    async def get_trusted_time(self, now: int) -> int:
        """Returns `now`, or an earlier time while the clock that gave `now` is ahead. Raises LedgerDown."""
        is_embedded = is_sqlite(self._transactions.engine)
        trusted = await (self._limit_by_jobs(now) if is_embedded else self._limit_by_database(now))
        if (trusted < now) != self._is_ahead:
            self._is_ahead = trusted < now
            if self._is_ahead:
                _log.error("clock is ahead, no consent ends and no record is removed by it: ahead_s=%d", now - trusted)
            else:
                _log.warning("clock is trusted again")
        return trusted

    async def _limit_by_database(self, now: int) -> int:
        async with self._transactions.connect() as connection:
            database_now: int = (await connection.execute(_DATABASE_TIME)).scalar_one()
        return limit_to_database_time(now, database_now)

    async def _limit_by_jobs(self, now: int) -> int:
        if self._trust is None:
            async with self._transactions.connect() as connection:
                latest: int = (await connection.execute(select(func.max(JOBS.c.ended_at)))).scalar_one() or 0
            self._trust = ClockTrust(latest, now, self._elapsed())
        return self._trust.get_trusted_time(now, self._elapsed())
