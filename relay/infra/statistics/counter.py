"""Counts exchanges on a gateway: in memory at once, in the ledger half a second later (지원-004, 지원-005)."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from relay.domain.exchange import Exchange
from relay.domain.statistics import Line, Pulse
from relay.infra.statistics.delivery import Delivery
from relay.policy.call.access import Callers
from relay.policy.statistics.counting import Counting, ended_at, find_single_services, has_responded
from relay.primitives.event_wait import wait_for_event

_LAST_S: Final = 1.5
_NO_PULSE: Final = Pulse(0, 0, 0)


class StatisticsCounter:
    """Counts closed exchanges and delivers them to the ledger in batches, each exactly once.

    `callers` returns who may call now.
    It belongs to one event loop. A hard kill loses only what was counted since the last flush, or was being written.
    """

    def __init__(
        self,
        counting: Counting,
        callers: Callable[[], Callers],
        delivery: Delivery,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counting = counting
        self._callers = callers
        self._clock = clock
        self._last_callers: Callers | None = None
        self._single_services: Mapping[str, str] = {}
        self._counts: dict[Line, int] = {}
        self._last_responses: dict[str, Exchange] = {}
        self._pulses: dict[str, Pulse] = {}
        self._counted = 0
        self._since = 0.0
        self._delivery = delivery
        self.unattributed = 0

    @property
    def waiting(self) -> int:
        """Number of exchanges counted and not yet acknowledged by the ledger."""
        return self._counted + self._delivery.waiting

    @property
    def behind(self) -> float:
        """Seconds since the oldest waiting exchange was counted; 0.0 when none waits."""
        since = self._delivery.since
        if since is None:
            since = self._since if self._counted else None
        return 0.0 if since is None else self._clock() - since

    def gauges(self) -> dict[str, float]:
        """Returns the gauges for Prometheus."""
        return {
            "relay_statistics_waiting": self.waiting,
            "relay_statistics_behind_seconds": self.behind,
            "relay_statistics_unattributed": self.unattributed,
            "relay_statistics_failures": self._delivery.failures,
            "relay_statistics_spool_broken": self._delivery.broken,
        }

    def count(self, closed: Sequence[Exchange]) -> None:
        """Counts exchanges; sets their client_id when the operator has one service and no token named it.

        So the access records have it too. PERF: 1.3 us for each, most of it finding the line.
        """
        callers = self._callers()
        if callers is not self._last_callers:
            self._last_callers, self._single_services = callers, find_single_services(callers)
        if not self._counted:
            self._since = self._clock()
        line_of, counts, single_services = self._counting.line, self._counts, self._single_services
        for exchange in closed:
            if not exchange.client_id:
                exchange.client_id = single_services.get(exchange.operator, "")
            line = line_of(exchange)
            if line is None:
                self.unattributed += self._counting.is_unattributed(exchange)
                continue
            counts[line] = counts.get(line, 0) + 1
            self._counted += 1
            is_success = has_responded(exchange)
            if is_success:
                self._last_responses[exchange.provider] = exchange
            elif is_success is False:
                self._record_failure(exchange)

    async def run(self, every: float, stop: asyncio.Event) -> None:
        """Flushes each `every` seconds until `stop`, and delivers. Spooled batches of others go first."""
        delivering = asyncio.ensure_future(self._delivery.run())
        try:
            while not stop.is_set():
                await wait_for_event(stop, every / 2)
                if not self._delivery.is_idle:
                    await self._delivery.save()
                await wait_for_event(stop, every / 2)
                await self.flush()
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)

    async def flush(self) -> None:
        """Passes counts to delivery; to the disk too when the ledger has not taken the last batch.

        So counts are in memory alone for at most one and a half flushes.
        """
        is_behind = not self._delivery.is_idle
        await self._pass_on()
        if is_behind:
            await self._delivery.save()

    async def settle(self) -> int:
        """Delivers or spools the rest after `run` ended. Returns the number of exchanges missing in the ledger."""
        await self._pass_on()
        return await self._delivery.settle(_LAST_S)

    async def _pass_on(self) -> None:
        counts = self._counts
        if not counts:
            return
        for provider in list(self._last_responses):
            self._update_pulse(provider)
        pulses = self._pulses
        self._counts, self._counted, self._pulses = {}, 0, {}
        await self._delivery.add_counts(counts, pulses, self._since)

    def _record_failure(self, exchange: Exchange) -> None:
        pulse = self._update_pulse(exchange.provider)
        self._pulses[exchange.provider] = pulse._replace(failed_at=ended_at(exchange), failures=pulse.failures + 1)

    def _update_pulse(self, provider: str) -> Pulse:
        """Returns the pulse of an institution up to now, its last response included."""
        pulse = self._pulses.get(provider, _NO_PULSE)
        response = self._last_responses.pop(provider, None)
        if response is not None:
            pulse = self._pulses[provider] = Pulse(ended_at(response), pulse.failed_at, 0)
        return pulse
