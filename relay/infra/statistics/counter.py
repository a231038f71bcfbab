"""Statistics counted on a gateway: in memory at once, in the ledger half a second later (지원-004, 지원-005)."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from relay.domain.exchange import Exchange
from relay.domain.statistics import Line, Pulse
from relay.infra.statistics.delivery import LINES_MOST, Delivery, TakeBatch
from relay.infra.statistics.spool import Spool
from relay.policy.call.access import Callers
from relay.policy.statistics.batches import pieces
from relay.policy.statistics.counting import Counting, answered, ended_at, only_services

_LAST_S: Final = 3.0
_SILENT: Final = Pulse(0, 0, 0)


class Tally:
    """Counts closed exchanges and brings the figures to the ledger, in batches of which each is taken once.

    `callers` tells who may call now, `take` is StatisticsBook.take_batch, `spool` the folder for what it does not take.
    Belongs to one loop. What a hard kill loses was counted since the last flush, or was being written then.
    """

    def __init__(
        self,
        counting: Counting,
        callers: Callable[[], Callers],
        take: TakeBatch,
        spool: Path,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._counting = counting
        self._callers = callers
        self._clock = clock
        self._known: Callers | None = None
        self._only: Mapping[str, str] = {}
        self._counts: dict[Line, int] = {}
        self._answers: dict[str, Exchange] = {}
        self._beats: dict[str, Pulse] = {}
        self._counted = 0
        self._since = 0.0
        self._delivery = Delivery(take, Spool(spool, _new_id), clock, wall, _new_id)
        self.unattributed = 0

    @property
    def waiting(self) -> int:
        """Exchanges counted and not yet acknowledged by the ledger."""
        return self._counted + self._delivery.waiting

    @property
    def behind(self) -> float:
        """How many seconds the ledger lags: since the oldest that waits was counted; 0.0 when nothing waits."""
        since = self._delivery.since
        if since is None:
            since = self._since if self._counted else None
        return 0.0 if since is None else self._clock() - since

    def gauges(self) -> dict[str, float]:
        """What Prometheus reads of it."""
        return {
            "relay_statistics_waiting": self.waiting,
            "relay_statistics_behind_seconds": self.behind,
            "relay_statistics_unattributed": self.unattributed,
            "relay_statistics_failures": self._delivery.failures,
            "relay_statistics_spool_broken": self._delivery.broken,
        }

    def count(self, closed: list[Exchange]) -> None:
        """Count exchanges; write into them the only service that can have called, where nothing else told it.

        So their access records say it too. PERF: 1.3 us for each, most of it finding the line.
        """
        callers = self._callers()
        if callers is not self._known:
            self._known, self._only = callers, only_services(callers)
        if not self._counted:
            self._since = self._clock()
        line_of, counts, only = self._counting.line, self._counts, self._only
        for exchange in closed:
            if not exchange.client_id:
                exchange.client_id = only.get(exchange.operator, "")
            line = line_of(exchange)
            if line is None:
                self.unattributed += self._counting.misses(exchange)
                continue
            counts[line] = counts.get(line, 0) + 1
            self._counted += 1
            met = answered(exchange)
            if met:
                self._answers[exchange.provider] = exchange
            elif met is False:
                self._failed(exchange)

    async def follow(self, every: float, stop: asyncio.Event) -> None:
        """Flush each `every` seconds until `stop`, and deliver. What the spool holds of others goes first."""
        delivering = asyncio.ensure_future(self._delivery.run())
        try:
            while not stop.is_set():
                await _until(stop, every / 2)
                if not self._delivery.idle:
                    await self._delivery.keep()
                await _until(stop, every / 2)
                await self.flush()
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)

    async def flush(self) -> None:
        """Hand what was counted over to delivery; to the disk too when the ledger has not taken the last of it.

        So nothing is older than a flush and a half and in memory alone.
        """
        slow = not self._delivery.idle
        self._cut()
        if slow:
            await self._delivery.keep()

    async def settle(self) -> int:
        """Bring the last to the ledger, or to the spool, after `follow` ended; how many exchanges the ledger lacks."""
        self._cut()
        return await self._delivery.settle(_LAST_S)

    def _cut(self) -> None:
        counts = self._counts
        if not counts:
            return
        for provider in list(self._answers):
            self._beat(provider)
        pulses = self._beats
        self._counts, self._counted, self._beats = {}, 0, {}
        self._delivery.add(pieces(counts, pulses, LINES_MOST, _new_id), self._since)

    def _failed(self, exchange: Exchange) -> None:
        pulse = self._beat(exchange.provider)
        self._beats[exchange.provider] = pulse._replace(failed_at=ended_at(exchange), failures=pulse.failures + 1)

    def _beat(self, provider: str) -> Pulse:
        """The pulse of an institution up to now, its last answer included."""
        pulse = self._beats.get(provider, _SILENT)
        answer = self._answers.pop(provider, None)
        if answer is not None:
            pulse = self._beats[provider] = Pulse(ended_at(answer), pulse.failed_at, 0)
        return pulse


def _new_id() -> str:
    return str(uuid.uuid4())


async def _until(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
