"""Rate limits of failed logins at the pages, by customer address and by login id. Pure."""

import heapq
import ipaddress
from typing import Final

from relay.policy.quota.bucket import Bucket
from relay.policy.settings.scalars import Rate

ADDRESS_RATE: Final = Rate(per_second=1 / 30, burst=30)
"""Failed logins of one address: 30 at once, then one per 30 s. Customers of mobile networks share addresses."""

LOGIN_ID_RATE: Final = Rate(per_second=1 / 300, burst=10)
"""Failed logins of one login id at one institution: 10 at once, then one per 5 minutes."""

MAX_KEYS: Final = 100_000
_IPV6_PREFIX: Final = 64
"""Prefix of a customer's network; the customer may choose the other 64 bits (RFC 4291 2.5.4)."""


class KeyedRateLimiter:
    """Token buckets by key. Keys should be keyed digests, so that nothing readable is stored.

    Call `get_wait_s` and then `take` before an attempt, so that concurrent attempts are all counted. `give_back`
    returns the token of an attempt that succeeded or was not made.
    """

    def __init__(self, rate: Rate, max_keys: int = MAX_KEYS) -> None:
        self._bucket = Bucket.of(rate)
        self._max_keys = max_keys
        self._arrivals: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    def get_wait_s(self, key: bytes, now: float) -> float:
        """Return the seconds until the next attempt is allowed; 0.0 if it is allowed now."""
        return self._bucket.wait(self._arrivals.get(key, 0.0), now)

    def take(self, key: bytes, now: float) -> None:
        """Count an allowed attempt."""
        if key not in self._arrivals and len(self._arrivals) >= self._max_keys:
            self._evict(now)
        self._arrivals[key] = self._bucket.advance(self._arrivals.get(key, 0.0), now)

    def give_back(self, key: bytes) -> None:
        """Return the token of one attempt."""
        arrival = self._arrivals.get(key)
        if arrival is not None:
            self._arrivals[key] = arrival - self._bucket.interval

    def _evict(self, now: float) -> None:
        """Remove keys with full buckets; if none was full, remove the tenth with the fewest attempts."""
        self._arrivals = {key: arrival for key, arrival in self._arrivals.items() if arrival > now}
        if len(self._arrivals) >= self._max_keys:
            fewest = heapq.nsmallest(max(1, self._max_keys // 10), self._arrivals.items(), key=lambda item: item[1])
            for key, _ in fewest:
                del self._arrivals[key]


def get_customer_network(address: str) -> str:
    """Return the IPv4 address or the /64 network of an IPv6 address; other text unchanged."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))
    return str(parsed)


def find_customer_address(peer: str, forwarded: str, proxies: tuple[str, ...]) -> str:
    """Return the customer's address: the peer, or the address that trusted `proxies` wrote into X-Forwarded-For.

    Each proxy appends the address of its peer. So the last address outside `proxies` (networks) is the customer's, and
    those before it are untrusted. Returns "" if a trusted proxy wrote no valid address.
    """
    if not _is_within(peer, proxies):
        return peer
    for text in reversed(forwarded.split(",")):
        address = text.strip()
        if not _is_address(address):
            return ""
        if not _is_within(address, proxies):
            return address
    return ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    if not networks or not _is_address(address):
        return False
    parsed = ipaddress.ip_address(address)
    return any(parsed in ipaddress.ip_network(network, strict=False) for network in networks)
