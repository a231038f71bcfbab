"""Wrong logins at the pages, counted across requests: for each customer's address, and for each login id. Pure."""

import heapq
import ipaddress
from typing import Final

from relay.policy.quota.bucket import Bucket
from relay.policy.settings.scalars import Rate

BY_ADDRESS: Final = Rate(per_second=1 / 30, burst=30)
"""Of one address: 30 wrong logins at once, then one each 30 s. Many customers of a mobile network share an address."""

BY_LOGIN_ID: Final = Rate(per_second=1 / 300, burst=10)
"""Of one login id at one institution: 10 wrong logins at once, then one each 5 minutes."""

KEPT_MOST: Final = 100_000
_IPV6_PREFIX: Final = 64
"""A customer's network has so many bits; the rest is the customer's to choose (RFC 4291 2.5.4)."""


class LoginLimits:
    """Attempts by key. A key is whatever tells parties apart, best a keyed digest: nothing readable is kept.

    An attempt is counted before it is made, so that a hundred sent at once are not all tried; `give_back` undoes it
    when the login was right or nothing was tried.
    """

    def __init__(self, rate: Rate, most: int = KEPT_MOST) -> None:
        self._bucket = Bucket.of(rate)
        self._most = most
        self._arrivals: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    def wait(self, key: bytes, now: float) -> float:
        """Seconds until an attempt may be made; 0.0 when it may be made now."""
        return self._bucket.wait(self._arrivals.get(key, 0.0), now)

    def take(self, key: bytes, now: float) -> None:
        """Count an attempt that may be made."""
        if key not in self._arrivals and len(self._arrivals) >= self._most:
            self._forget(now)
        self._arrivals[key] = self._bucket.taken(self._arrivals.get(key, 0.0), now)

    def give_back(self, key: bytes) -> None:
        """Uncount an attempt."""
        arrival = self._arrivals.get(key)
        if arrival is not None:
            self._arrivals[key] = arrival - self._bucket.interval

    def _forget(self, now: float) -> None:
        """Forget keys without wrong logins lately; when that is not enough, the tenth with the fewest."""
        self._arrivals = {key: arrival for key, arrival in self._arrivals.items() if arrival > now}
        if len(self._arrivals) >= self._most:
            fewest = heapq.nsmallest(max(1, self._most // 10), self._arrivals.items(), key=lambda row: row[1])
            for key, _ in fewest:
                del self._arrivals[key]


def network_of(address: str) -> str:
    """What tells customers' networks apart: an IPv4 address, the /64 of an IPv6 one; other text as it is."""
    try:
        read = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(read, ipaddress.IPv6Address):
        if read.ipv4_mapped is not None:
            return str(read.ipv4_mapped)
        return str(ipaddress.ip_network((read, _IPV6_PREFIX), strict=False))
    return str(read)


def customer_address(peer: str, forwarded: str, proxies: tuple[str, ...]) -> str:
    """The customer's address: the peer's, or what the trusted `proxies` (networks) wrote into X-Forwarded-For.

    Each proxy appends the address it took the call from: the last one that is no proxy of ours is the customer's, and
    what stands before it anybody may have written. "" when a trusted proxy told nothing that is an address.
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
    read = ipaddress.ip_address(address)
    return any(read in ipaddress.ip_network(network, strict=False) for network in networks)
