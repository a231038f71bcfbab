"""Limits the handshakes of one address: begun in a second, and under way at once."""

from collections import Counter
from collections.abc import Callable
from typing import Final

from relay.policy.quota.bucket import Bucket
from relay.policy.quota.keyed_limits import store_next_at
from relay.policy.quota.networks import get_network

_SHARE_DIVISOR: Final = 4
"""One address may have a quarter of all handshakes under way."""

FAILED_COST: Final = 8
"""A failed handshake counts as this many. OpenSSL parses all certificates of a peer before it refuses the first."""


class HandshakeLimits:
    """Counts handshakes of each address: begun (GCRA) and under way. An IPv6 address counts as its /64 network.

    `under_way` counts handshakes under way, over all addresses.
    """

    def __init__(self, bucket: Bucket, max_under_way: int, clock: Callable[[], float]) -> None:
        self._bucket = bucket
        self._max_per_network = max(1, max_under_way // _SHARE_DIVISOR)
        self._clock = clock
        self._next_at: dict[str, float] = {}
        self._under_way: Counter[str] = Counter()
        self.under_way = 0

    def adjust(self, bucket: Bucket) -> None:
        """Applies a new rate. Counted handshakes stay counted."""
        self._bucket = bucket

    def take(self, address: str) -> bool:
        """Counts a handshake that begins. Returns False if the address exceeds its rate or share."""
        network, now = get_network(address), self._clock()
        next_at = self._next_at.get(network, 0.0)
        if self._under_way[network] >= self._max_per_network or self._bucket.get_wait_s(next_at, now):
            return False
        store_next_at(self._next_at, network, self._bucket.advance(next_at, now), now)
        self._under_way[network] += 1
        self.under_way += 1
        return True

    def release(self, address: str, *, failed: bool) -> None:
        """Counts the end of a handshake. A failed one is charged to the rate of its address FAILED_COST times."""
        network = get_network(address)
        if failed:
            self._charge(network, self._clock())
        self._under_way[network] -= 1
        self.under_way -= 1
        if not self._under_way[network]:
            del self._under_way[network]

    def _charge(self, network: str, now: float) -> None:
        """Charges the rest of a failure to a network. Its next handshake waits for at most FAILED_COST intervals."""
        bucket = self._bucket
        latest = now + bucket.tolerance + FAILED_COST * bucket.interval
        next_at = max(self._next_at.get(network, 0.0), now) + (FAILED_COST - 1) * bucket.interval
        store_next_at(self._next_at, network, min(next_at, latest), now)
