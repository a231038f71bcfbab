"""All leases of one gateway: counts calls against them, says what to ask the store, and counts alone without it.

Time is monotonic and given with each call. See `leases` for the bound that holds.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from relay.domain.fault import Refusal
from relay.domain.quota import CallKey, NotLeased
from relay.policy.quota.leases import Lease, LeaseReply, LeaseRequest
from relay.policy.quota.limits import Limit, LimitTable
from relay.policy.quota.meters import MAX_CALLS, QuotaMeters

_MIN_DEBT: Final = 0.01
"""Requests: a smaller debt is not worth a key in the store."""


class LeaseBook:
    """The leases of one gateway. `is_alone` while it counts by itself, with its part of each rate.

    `gateways` is how many gateways share the rates. `on_listed` is called when there is something to ask the store.
    """

    def __init__(
        self, table: LimitTable, gateways: int, on_listed: Callable[[], None], max_calls: int = MAX_CALLS
    ) -> None:
        self._table = table
        self._max_calls = max_calls
        self._on_listed = on_listed
        self._leases: dict[str, Lease] = {}
        self._by_call: dict[CallKey, tuple[Lease, ...]] = {}
        self._listed: list[Lease] = []
        self._lowered: set[str] = set()
        self._meters = QuotaMeters(table)
        self.gateways = gateways
        self.is_alone = False

    def __len__(self) -> int:
        return len(self._leases)

    def adjust(self, table: LimitTable) -> None:
        """Applies new rates, each with the next call. Counted requests stay counted, no more than the new burst."""
        self._table = table
        self._by_call.clear()
        self._lowered.clear()
        self._meters.adjust(table)

    def take(self, call: CallKey, now: float) -> None:
        """Counts one request. Raises Refusal (42901) with `retry_after`, NotLeased if the store must be asked.

        A refused or waiting request counts in no limit.
        """
        if self.is_alone:
            self._meters.take(call, now)
            return
        leases = self._by_call.get(call) or self._find(call, now)
        for lease in leases:
            if not lease.has_permit(now):
                self._refuse_or_wait(leases, now)
        for lease in leases:
            lease.permits -= 1
            lease.used += 1
            if lease.permits <= lease.low and not lease.next_permits and not lease.is_exact:
                self._list(lease)

    def give_back(self, call: CallKey) -> None:
        """Takes back the request that was counted just before."""
        if self.is_alone:
            self._meters.give_back(call)
            return
        leases = self._by_call[call]
        for lease in leases:
            lease.permits += 1
            lease.used -= 1
        self._list_unused(leases)

    def _find(self, call: CallKey, now: float) -> tuple[Lease, ...]:
        if len(self._by_call) >= self._max_calls:
            self._forget_idle(now)
        self._by_call[call] = tuple(self._find_lease(limit, now) for limit in self._table.find(call))
        return self._by_call[call]

    def _forget_idle(self, now: float) -> None:
        """Forgets the leases that are not in use; the store still counts them."""
        self._by_call.clear()
        self._leases = {key: lease for key, lease in self._leases.items() if lease.is_in_use(now)}

    def _find_lease(self, limit: Limit, now: float) -> Lease:
        lease = self._leases.get(limit.lease_key)
        if lease is None:
            lease = self._leases[limit.lease_key] = Lease(limit, now)
        elif lease.limit != limit:  # another rate or weight
            lease.denied_until = 0.0
            if limit.rate.burst < lease.limit.rate.burst and limit.key not in self._lowered:
                self._lowered.add(limit.key)
                lease.is_lowered = True
            lease.limit = limit
        return lease

    def _refuse_or_wait(self, leases: Sequence[Lease], now: float) -> None:
        """Raises Refusal if the store has no more requests of a limit, NotLeased after it was listed."""
        missing = [lease for lease in leases if not lease.has_permit(now)]
        for lease in missing:
            if now < lease.denied_until:
                self._list_unused(leases)
                raise Refusal(lease.limit.fault, retry_after=lease.free_at - now)
        for lease in missing:
            lease.waiting += 1
            self._list(lease)
        raise NotLeased

    def _list_unused(self, leases: Sequence[Lease]) -> None:
        """Lists the exact leases of a refused call: what was leased for it is returned."""
        for lease in leases:
            if lease.is_exact and lease.permits:
                self._list(lease)

    def _list(self, lease: Lease) -> None:
        if not lease.is_listed:
            lease.is_listed = True
            self._listed.append(lease)
            if len(self._listed) == 1:
                self._on_listed()

    # the store

    def build_requests(self, now: float) -> list[tuple[Lease, LeaseRequest]]:
        """Returns what to ask the store now; the waiting calls are served by its reply."""
        listed, self._listed = self._listed, []
        requests = []
        for lease in listed:
            wanted = lease.count_wanted(now)
            unused = lease.give_back(now) if lease.is_exact and not wanted else 0.0
            if wanted or unused:
                requests.append((lease, LeaseRequest(lease.limit, wanted, -unused, lease.is_lowered)))
            lease.is_listed, lease.waiting = False, 0
        return requests

    def receive(
        self, requests: Iterable[tuple[Lease, LeaseRequest]], replies: Iterable[LeaseReply], sent_at: float, now: float
    ) -> None:
        """Takes what the store leased."""
        for (lease, request), reply in zip(requests, replies, strict=True):
            lease.receive(reply, request.wanted, sent_at, now)

    def count_alone(self, now: float) -> None:
        """Counts without the store from now on: this gateway's part of each rate, and of what is known as counted."""
        if self.is_alone:
            return
        self.is_alone = True
        self._meters.set_share(1 / self.gateways, now)
        levels: dict[str, tuple[Limit, float]] = {}
        for lease in self._leases.values():
            level = max(lease.get_level(now), levels.get(lease.limit.key, (lease.limit, 0.0))[1])
            levels[lease.limit.key] = lease.limit, level
            lease.end()
        for limit, level in levels.values():
            self._meters.raise_debt(limit, level / self.gateways, now)

    def build_debts(self, now: float) -> list[LeaseRequest]:
        """Returns what was counted without the store and not yet paid off: the store counts it before it leases."""
        debts = self._meters.list_debts(now)
        return [LeaseRequest(replace(limit, operator=""), 0, debt) for limit, debt in debts if debt > _MIN_DEBT]

    def count_together(self) -> None:
        """Asks the store again from now on. It has counted the debts."""
        self.is_alone = False
        for lease in self._leases.values():
            lease.level = 0.0


class FormerGateways:
    """How many gateways shared the rates before outages of the store, each number for `kept_s`.

    A store that lost its data does not know them, and they may still count by themselves.
    """

    def __init__(self, kept_s: float) -> None:
        self._kept_s = kept_s
        self._counts: list[tuple[int, float]] = []

    def add(self, gateways: int, now: float) -> None:
        """Adds what the store knew before the outage that ends now."""
        higher = [(count, until) for count, until in self._counts if count > gateways and until > now]
        self._counts = [*higher, (gateways, now + self._kept_s)]

    def count(self, now: float) -> int:
        """Returns the highest number that is kept, 0 if none is."""
        return max((count for count, until in self._counts if until > now), default=0)
