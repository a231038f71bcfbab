"""Counts and logs closed exchanges: queued at once, counted and written in batches a moment later."""

import asyncio
from collections.abc import Sequence
from operator import attrgetter
from typing import Final, Protocol

from relay.domain.exchange import Exchange
from relay.infra.diagnostics.exchange_outages import ExchangeOutages
from relay.infra.records.repeated_refusals import PENDING_S, RepeatedRefusals

_SETTLE_S: Final = 0.02
BATCH: Final = 64
"""Maximum number of exchanges that are counted and written at once.

PERF: 64 exchanges hold the loop for 0.25 ms, compiled for 0.12 ms; 256 for 1 ms. Compared with batches of 256, those of
64 cost 0.5 % more CPU, those of 32 1.1 %.
"""

_REASON_OF: Final = attrgetter("reason")


class ExchangeCounter(Protocol):
    """Counts exchanges; `Metrics` implements it."""

    def record(self, exchanges: Sequence[Exchange]) -> None:
        """Counts closed exchanges."""


class ExchangeStatistics(Protocol):
    """Counts exchanges for the ledger; `StatisticsCounter` implements it."""

    def count(self, closed: Sequence[Exchange]) -> None:
        """Counts closed exchanges, and completes their client_id."""


class ExchangeLog(Protocol):
    """Writes records of exchanges; `AccessLog` implements it."""

    def write(self, exchanges: Sequence[Exchange]) -> None:
        """Queues a record for each exchange."""


class ExchangeRecorder:
    """Counts statistics and metrics of every exchange and writes access records, every 20 ms or `BATCH` exchanges.

    Statistics and metrics count each exchange; repeated refusals are summed in the access records.

    Statistics come first: they complete the client_id of the record.

    PERF: queueing costs 0.1 us between two calls; counting and formatting many in a row costs half of doing it between
    calls, where code and numbers are not in the cache.
    """

    def __init__(
        self,
        metrics: ExchangeCounter,
        access_log: ExchangeLog,
        loop: asyncio.AbstractEventLoop,
        counter: ExchangeStatistics | None = None,
    ) -> None:
        self._metrics = metrics
        self._access_log = access_log
        self._loop = loop
        self._counter = counter
        self._closed: list[Exchange] = []
        self._repeated = RepeatedRefusals()
        self._outages = ExchangeOutages()
        self._is_scheduled = False
        self._sums_scheduled = False

    @property
    def waiting(self) -> int:
        """Number of queued exchanges."""
        return len(self._closed)

    def record(self, exchange: Exchange) -> None:
        """Queues a closed exchange."""
        self._closed.append(exchange)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_later(_SETTLE_S, self._settle_on_timer)
        if len(self._closed) >= BATCH:
            self.settle()

    def settle(self) -> None:
        """Counts and writes queued exchanges."""
        closed, self._closed = self._closed, []
        if self._counter is not None:
            self._counter.count(closed)
        self._metrics.record(closed)
        if self._outages.is_failing or any(map(_REASON_OF, closed)):  # PERF: 0.02 us for each
            self._outages.record(closed)
            closed = self._repeated.reduce(closed)
        self._access_log.write(closed)
        if self._repeated.waits and not self._sums_scheduled:
            self._sums_scheduled = True
            self._loop.call_later(PENDING_S, self._write_sums)

    def close(self) -> None:
        """Counts and writes everything, sums of repeated refusals too."""
        self.settle()
        self._write_sums()

    def _settle_on_timer(self) -> None:
        self._is_scheduled = False
        self.settle()

    def _write_sums(self) -> None:
        self._sums_scheduled = False
        self._access_log.write(self._repeated.flush())
