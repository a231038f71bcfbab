"""Quotas of this process: a meter for each limit."""

from typing import Final

from relay.domain.quota import CallKey
from relay.policy.quota.limits import Limit, LimitTable
from relay.policy.quota.meter import Meter, take_all

_MAX_CALLS: Final = 100_000
"""Kinds of calls whose meters are remembered; then all are looked up again."""


class LocalQuotaCounters:
    """Counts requests in process memory. A refused request counts in no limit, so waiting always helps."""

    def __init__(self, table: LimitTable) -> None:
        self._table = table
        self._meters: dict[str, Meter] = {}
        self._by_call: dict[CallKey, tuple[Meter, ...]] = {}

    def adjust(self, table: LimitTable) -> None:
        """Applies new rates, each with the next call. Counted requests stay counted; a raised limit applies at once."""
        self._table = table
        self._by_call.clear()

    def take(self, call: CallKey, now: float) -> None:
        """Counts one request. Raises Refusal (42901) with `retry_after` in seconds."""
        take_all(self._by_call.get(call) or self._find(call, now), now)

    async def wait(self) -> None:
        """Does nothing: no request is leased."""

    def share_slots(self, users: object) -> None:
        """Does nothing: each process has its own slots."""

    async def run(self) -> None:
        """Does nothing: the counts are not shared."""

    def gauges(self) -> dict[str, float]:
        """Returns no metrics."""
        return {}

    def _find(self, call: CallKey, now: float) -> tuple[Meter, ...]:
        if len(self._by_call) >= _MAX_CALLS:
            self._by_call.clear()
            self._meters = {key: meter for key, meter in self._meters.items() if meter.next_at > now}
        meters = tuple(self._find_meter(limit, now) for limit in self._table.find(call))
        self._by_call[call] = meters
        return meters

    def _find_meter(self, limit: Limit, now: float) -> Meter:
        meter = self._meters.get(limit.key)
        if meter is None:
            meter = self._meters[limit.key] = Meter(limit)
        elif meter.limit.rate != limit.rate:
            meter.adjust(limit, now)
        return meter
