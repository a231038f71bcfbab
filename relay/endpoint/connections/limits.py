"""Counts of the connections of one listener, in all and by address."""

import ipaddress
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.policy.consent.login_limits import LoginLimits, network_of
from relay.policy.settings.scalars import Rate

_RATES_MOST: Final = 4096
"""Addresses whose rate is remembered."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class ConnectionTimeouts:
    """How long a listener waits for its caller, in seconds.

    `handshake_s` is for TLS, `head_s` for a request's head from its first byte on, and for the first one from the
    handshake on. `body_s` is for a request's body, and for the next part of an answer to be taken. `idle_s` is for the
    next request.
    """

    handshake_s: float = 5.0
    head_s: float = 5.0
    body_s: float = 10.0
    idle_s: float = 75.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections a listener has at once, in all and of one address, and new ones of one address by time.

    `proxies` are networks of load balancers: many callers share their addresses, only the first limit holds for them.
    """

    connections: int
    connections_per_address: int
    new_connections: Rate
    proxies: tuple[Network, ...] = ()


class Exceeded(StrEnum):
    """Why a connection is closed at once."""

    CONNECTIONS = "connections"
    CONNECTIONS_PER_ADDRESS = "connections_per_address"
    NEW_CONNECTIONS = "new_connections"


class ConnectionCounts:
    """Counts connections from their acceptance on, handshakes included. An IPv6 network of 64 bits is one address."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()
        self._rates = LoginLimits(limits.new_connections, _RATES_MOST)
        self.open = 0

    def take(self, address: str, now: float) -> "Place | Exceeded":
        """Count one connection of `address` ("" for a unix socket) at `now`. Returns the limit when it is exceeded."""
        limits, key = self._limits, self._key(address)
        if self.open >= limits.connections:
            return Exceeded.CONNECTIONS
        if key:
            if self._by_address[key] >= limits.connections_per_address:
                return Exceeded.CONNECTIONS_PER_ADDRESS
            if self._rates.wait(key.encode(), now):
                return Exceeded.NEW_CONNECTIONS
            self._rates.take(key.encode(), now)
            self._by_address[key] += 1
        self.open += 1
        return Place(self, key)

    def give_back(self, key: str) -> None:
        """Uncount one connection."""
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
        return network_of(address)


class Place:
    """One counted connection."""

    __slots__ = ("_counts", "_key")

    def __init__(self, counts: ConnectionCounts, key: str) -> None:
        self._counts: ConnectionCounts | None = counts
        self._key = key

    def give_back(self) -> None:
        """Uncount the connection. A second time does nothing."""
        counts, self._counts = self._counts, None
        if counts is not None:
            counts.give_back(self._key)
