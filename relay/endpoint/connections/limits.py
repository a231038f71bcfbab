"""Counts the connections of one listener, in total and by address."""

import ipaddress
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from relay.policy.quota.keyed_limits import MAX_PEERS, KeyedRateLimiter
from relay.policy.quota.networks import get_network
from relay.policy.settings.scalars import Rate

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class ConnectionTimeouts:
    """How long a listener waits for its caller, in seconds.

    `handshake_s` is for the TLS handshake, `head_s` for a request's head from its first byte (the first head: from the
    handshake), `body_s` for a request's body and for the caller's reading, `idle_s` for the wait for the next request.
    """

    handshake_s: float = 5.0
    head_s: float = 5.0
    body_s: float = 10.0
    idle_s: float = 75.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of a listener: open connections in total and by address, and the rate of new ones by address.

    `proxies` are networks of load balancers. Many callers share their addresses, so only the total applies to them.
    """

    connections: int
    connections_per_address: int
    new_connections: Rate
    proxies: tuple[Network, ...] = ()


class ExceededLimit(StrEnum):
    """The limit that closed a new connection."""

    CONNECTIONS = "connections"
    CONNECTIONS_PER_ADDRESS = "connections_per_address"
    NEW_CONNECTIONS = "new_connections"


class ConnectionCounts:
    """Counts accepted connections, including handshakes. An IPv6 /64 network counts as one address."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()
        self._rates = KeyedRateLimiter(limits.new_connections, MAX_PEERS)
        self.open = 0

    def acquire(self, address: str, now: float) -> "ConnectionPermit | ExceededLimit":
        """Counts a connection of `address` ("" for a unix socket). Returns a permit, or the limit that it exceeds."""
        limits, key = self._limits, self._key(address)
        if self.open >= limits.connections:
            return ExceededLimit.CONNECTIONS
        if key:
            if self._by_address[key] >= limits.connections_per_address:
                return ExceededLimit.CONNECTIONS_PER_ADDRESS
            if self._rates.get_wait_s(key.encode(), now):
                return ExceededLimit.NEW_CONNECTIONS
            self._rates.take(key.encode(), now)
            self._by_address[key] += 1
        self.open += 1
        return ConnectionPermit(self, key)

    def release(self, key: str) -> None:
        """Uncounts a connection."""
        self.open -= 1
        if key:
            self._by_address[key] -= 1
            if not self._by_address[key]:
                del self._by_address[key]

    def _key(self, address: str) -> str:
        if not address:
            return ""
        if any(ipaddress.ip_address(address) in network for network in self._limits.proxies):
            return ""
        return get_network(address)


class ConnectionPermit:
    """The permit of one counted connection."""

    __slots__ = ("_counts", "_key")

    def __init__(self, counts: ConnectionCounts, key: str) -> None:
        self._counts: ConnectionCounts | None = counts
        self._key = key

    def release(self) -> None:
        """Uncounts the connection. Further calls do nothing."""
        counts, self._counts = self._counts, None
        if counts is not None:
            counts.release(self._key)
