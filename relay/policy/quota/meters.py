"""The meters of all limits that one process counts by itself."""

from collections.abc import Sequence
from typing import Final

from relay.domain.fault import Refusal
from relay.domain.quota import CallKey
from relay.policy.quota.fair_share import FairShare, InstitutionMeter
from relay.policy.quota.limits import Limit, LimitTable
from relay.policy.quota.meter import Meter

MAX_CALLS: Final = 100_000
"""Kinds of calls whose meters are remembered; then all are looked up again."""

_CallMeters = tuple[tuple[Meter, ...], FairShare | None]


class QuotaMeters:
    """Counts calls with the part `share` of each rate. A refused call counts in no limit, so waiting always helps.

    It remembers the meters of `max_calls` kinds of calls.
    """

    def __init__(self, table: LimitTable, share: float = 1.0, max_calls: int = MAX_CALLS) -> None:
        self._table = table
        self._max_calls = max_calls
        self._share = share
        self._meters: dict[str, Meter] = {}
        self._by_call: dict[CallKey, _CallMeters] = {}

    def __len__(self) -> int:
        return len(self._meters)

    def adjust(self, table: LimitTable) -> None:
        """Applies new rates, each with the next call. Counted calls stay counted, no more than the new burst."""
        self._table = table
        self._by_call.clear()

    def take(self, call: CallKey, now: float) -> None:
        """Counts one call. Raises Refusal (42901) with `retry_after` in seconds.

        PERF: the arithmetic of Bucket, inlined, saves two calls for each meter.
        """
        meters, fair_share = self._by_call.get(call) or self._find(call, now)
        for meter in meters:
            if meter.next_at - meter.tolerance > now:
                raise Refusal(meter.limit.fault, retry_after=meter.get_wait_s(now))
        if fair_share is not None:
            fair_share.take(now)
        for meter in meters:
            next_at = meter.next_at
            meter.next_at = (max(now, next_at)) + meter.interval

    def give_back(self, call: CallKey) -> None:
        """Takes back the call that was counted just before."""
        meters, fair_share = self._by_call[call]
        if fair_share is not None:
            fair_share.give_back()
        for meter in meters:
            meter.next_at -= meter.interval

    def set_share(self, share: float, now: float) -> None:
        """Changes the part of each rate. Counted calls stay counted."""
        self._share = share
        for meter in self._meters.values():
            meter.adjust(meter.limit, now, share)

    def raise_debt(self, limit: Limit, calls: float, now: float) -> None:
        """Counts so many calls of a limit, if fewer are counted and not yet paid off.

        The rate of `limit` may be a former one: a known meter keeps its own.
        """
        meter = self._meters.get(limit.key) or self._find_meter(limit, now)
        meter.add_debt(max(0.0, calls - meter.get_debt(now)), now)

    def list_debts(self, now: float) -> Sequence[tuple[Limit, float]]:
        """Returns each limit with its counted calls that are not yet paid off."""
        return [(meter.limit, meter.get_debt(now)) for meter in self._meters.values()]

    def _find(self, call: CallKey, now: float) -> _CallMeters:
        if len(self._by_call) >= self._max_calls:
            self._by_call.clear()
            self._meters = {key: meter for key, meter in self._meters.items() if meter.next_at > now}
        meters, fair_share = [], None
        for limit in self._table.find(call):
            meter = self._find_meter(limit, now)
            if isinstance(meter, InstitutionMeter):
                fair_share = FairShare(meter, limit)
            else:
                meters.append(meter)
        self._by_call[call] = tuple(meters), fair_share
        return self._by_call[call]

    def _find_meter(self, limit: Limit, now: float) -> Meter:
        meter = self._meters.get(limit.key)
        if meter is None:
            meter = self._meters[limit.key] = (InstitutionMeter if limit.is_fair else Meter)(limit, self._share)
        elif meter.limit.rate != limit.rate:
            meter.adjust(limit, now, self._share)
            meter.limit_debt(now, self._share)
        return meter
