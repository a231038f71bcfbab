"""Leases of requests: what a gateway may pass without asking the store that all gateways share.

A window of W seconds passes at most rate * (W + LEASE_S) + burst requests: `docs/design/quotas.md` derives this bound.
"""

from dataclasses import dataclass
from typing import Final

from relay.policy.quota.limits import Limit

LEASE_S: Final = 0.1
"""How long leased requests may be used."""

_RETURN_S: Final = 0.02
"""How long a returned request takes to the store at most, and so is paid off a little further."""

_DENIED_S: Final = 1.0
"""How long a denial is believed: the next request may be free earlier, when a silent gateway returns for example."""

_LEAST_AHEAD: Final = 2
"""If fewer requests were used in LEASE_S, none is leased in advance: most of them would expire unused."""

_MOST_EXACT: Final = 50.0
"""A limit of fewer requests in LEASE_S is leased exactly while more than a quarter of its burst is used.

Requests that expire unused would be missing then.
"""


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """What the store is asked for one limit: `wanted` requests.

    `debt` are requests that were counted elsewhere; a negative debt returns requests that no call used. `is_lowered`
    once after the burst was lowered: no more than the new burst stays counted.
    """

    limit: Limit
    wanted: int
    debt: float = 0.0
    is_lowered: bool = False


@dataclass(frozen=True, slots=True)
class LeaseReply:
    """What the store leased of one limit: `permits`, of the wanted ones or fewer.

    If fewer, the next is free in `wait_s`. `level` is how many counted requests the rate has not yet paid off.
    """

    permits: int
    wait_s: float
    level: float


class Lease:
    """The leased requests of one limit: `permits` until `expires_at`, then `next_permits` until `next_expires_at`.

    Until `free_at` the store has no more, as far as it knows; until `denied_until` it is not asked. `granted` is the
    last lease. `used` counts since `since`, and `lately` is how many requests were used in LEASE_S before; `waiting`
    are the calls that wait for a permit. `is_exact` while requests are leased only for calls that wait for them.
    `is_lowered` after a reload that lowered the burst, until the next reply.
    """

    __slots__ = (
        "denied_until",
        "expires_at",
        "free_at",
        "granted",
        "is_exact",
        "is_listed",
        "is_lowered",
        "lately",
        "level",
        "level_at",
        "limit",
        "low",
        "next_expires_at",
        "next_permits",
        "permits",
        "since",
        "used",
        "waiting",
    )

    def __init__(self, limit: Limit, now: float) -> None:
        self.limit = limit
        self.permits = self.next_permits = 0
        self.expires_at = self.next_expires_at = 0.0
        self.denied_until = self.free_at = 0.0
        self.low = -1
        self.used = self.lately = self.waiting = self.granted = 0
        self.since = self.level_at = now
        self.level = 0.0
        self.is_listed = self.is_lowered = False
        self.is_exact = True

    def has_permit(self, now: float) -> bool:
        """Returns whether a call may pass at `now`; begins the next lease when this one has ended."""
        if self.permits > 0 and now < self.expires_at:
            return True
        self.permits, self.expires_at, self.next_permits = self.next_permits, self.next_expires_at, 0
        self.low = self.permits // 2
        return self.permits > 0 and now < self.expires_at

    def count_wanted(self, now: float) -> int:
        """Returns how many requests to lease: for each waiting call, and at least as many as LEASE_S used lately."""
        span_s = now - self.since
        if span_s >= LEASE_S:
            self.lately = round(self.used * LEASE_S / span_s)
            self.used, self.since = 0, now
        rate = self.limit.rate
        ahead = min(max(self.lately, self.used), int(rate.per_second * LEASE_S))
        is_scarce = rate.per_second * LEASE_S < _MOST_EXACT and self.get_level(now) > rate.burst / 4
        self.is_exact = is_scarce or ahead < _LEAST_AHEAD
        return self.waiting if self.is_exact else max(self.waiting, ahead)

    def receive(self, reply: LeaseReply, wanted: int, sent_at: float, now: float) -> None:
        """Takes what the store leased; the time of the request counts, so that no permit is used too late."""
        if reply.permits:
            self.next_permits, self.next_expires_at = reply.permits, sent_at + LEASE_S
            self.granted = reply.permits
        if reply.permits < wanted:
            self.free_at = now + reply.wait_s
            self.denied_until = min(self.free_at, now + _DENIED_S)
        self.level, self.level_at = reply.level, now
        self.is_lowered = False

    def end(self) -> None:
        """Ends the leases: the gateway counts by itself from now on."""
        self.permits = self.next_permits = 0
        self.denied_until = 0.0

    def give_back(self, now: float) -> float:
        """Ends the leases. Returns how many unused requests the store may take off its count.

        The rate has paid off some of them since they were leased, so these are not returned.
        """
        unused = self.permits + self.next_permits
        self.permits = self.next_permits = 0
        if not unused:
            return 0.0
        age = now + _RETURN_S - (max(self.expires_at, self.next_expires_at) - LEASE_S)
        return max(0.0, min(unused, self.granted - age * self.limit.rate.per_second))

    def is_in_use(self, now: float) -> bool:
        """Returns whether anything is leased, asked for or not yet paid off."""
        is_leased = now < max(self.expires_at, self.next_expires_at, self.denied_until)
        return is_leased or self.is_listed or self.get_level(now) > 0

    def get_level(self, now: float) -> float:
        """Returns how many counted requests the rate has not yet paid off, as far as this gateway knows."""
        return max(0.0, self.level - (now - self.level_at) * self.limit.rate.per_second)
