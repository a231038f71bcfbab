"""Limits the handshakes of one address: begun in a second, and under way at once."""

import ipaddress
from collections import Counter
from collections.abc import Callable
from typing import Final

from relay.policy.quota.bucket import Bucket, store_arrival

_SHARE: Final = 4
"""One address may have a quarter of all handshakes under way."""

FAILED_COST: Final = 8
"""A failed handshake counts as this many. OpenSSL parses all certificates of a peer before it refuses the first."""

_IPV6_PREFIX: Final = 64


class HandshakeLimits:
    """Counts handshakes of each address: begun (GCRA) and under way. An IPv6 address counts as its /64 network.

    `under_way` is the number of all addresses together.
    """

    def __init__(self, bucket: Bucket, most: int, clock: Callable[[], float]) -> None:
        self._bucket = bucket
        self._share = max(1, most // _SHARE)
        self._clock = clock
        self._arrivals: dict[str, float] = {}
        self._under_way: Counter[str] = Counter()
        self.under_way = 0

    def adjust(self, bucket: Bucket) -> None:
        """Apply a new rate. Counted handshakes stay counted."""
        self._bucket = bucket

    def take(self, address: str) -> bool:
        """Count a handshake that begins. Returns False if the address exceeds its rate or share."""
        network, now = get_network(address), self._clock()
        arrival = self._arrivals.get(network, 0.0)
        if self._under_way[network] >= self._share or self._bucket.wait(arrival, now):
            return False
        store_arrival(self._arrivals, network, self._bucket.advance(arrival, now), now)
        self._under_way[network] += 1
        self.under_way += 1
        return True

    def release(self, address: str, *, failed: bool) -> None:
        """Count the end of a handshake. A failed one is charged to the rate of its address FAILED_COST times."""
        network = get_network(address)
        if failed:
            self._charge(network, self._clock())
        self._under_way[network] -= 1
        self.under_way -= 1
        if not self._under_way[network]:
            del self._under_way[network]

    def _charge(self, network: str, now: float) -> None:
        """Charge the rest of a failure to a network, so that its next handshake waits for one failure at most."""
        bucket = self._bucket
        most = now + bucket.tolerance + FAILED_COST * bucket.interval
        arrival = max(self._arrivals.get(network, 0.0), now) + (FAILED_COST - 1) * bucket.interval
        store_arrival(self._arrivals, network, min(arrival, most), now)


def get_network(address: str) -> str:
    """Return the address, or the /64 network of an IPv6 address: one peer can use all of it at will."""
    if ":" not in address:
        return address
    return str(ipaddress.IPv6Network((address.partition("%")[0], _IPV6_PREFIX), strict=False))
