"""Addresses of host names: looked up once, remembered for their TTL, kept while name servers fail."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

_log = logging.getLogger(__name__)

TTL_LEAST_S: Final = 5.0
"""Addresses are remembered at least so long; entries of /etc/hosts have no TTL."""

TTL_MOST_S: Final = 300.0
"""Addresses are looked up again after this time at the latest, so that a host that moves is followed."""

FAILED_S: Final = 1.0
"""A failed look-up of a name without known addresses is not repeated within this time."""

RETRY_S: Final = 5.0
"""A failed look-up of a name with known addresses is not repeated within this time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Numeric addresses of a name in the order of preference, and seconds for which they may be remembered."""

    addresses: tuple[str, ...]
    ttl: float


LookUp = Callable[[str], Awaitable[Answer]]
"""Looks up one name. Raises OSError; `socket.gaierror` when name servers answered that there is no address."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is remembered of a name until monotonic `until`. Without addresses `error` says why."""

    addresses: tuple[str, ...]
    until: float
    error: OSError | None = None


class AddressCache:
    """Resolves names through `look_up`, one look-up at a time for each name. `clock` is monotonic, in seconds.

    Expired addresses are returned at once while one look-up refreshes them. They stay when that look-up fails.
    Belongs to one event loop.
    """

    def __init__(self, look_up: LookUp, clock: Callable[[], float]) -> None:
        self._look_up = look_up
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._lookups: dict[str, asyncio.Task[None]] = {}

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host, never none. Raises OSError, `socket.gaierror` among others."""
        entry = self._entries.get(host)
        if entry is None or entry.until <= self._clock():
            lookup = self._lookups.get(host)
            if lookup is None:
                lookup = self._lookups[host] = asyncio.create_task(self._refresh(host))
            if entry is None or not entry.addresses:
                await asyncio.shield(lookup)  # a caller that gives up must not stop the others
                entry = self._entries[host]
        if entry.error is not None:
            raise type(entry.error)(*entry.error.args)
        return entry.addresses

    async def _refresh(self, host: str) -> None:
        """Look up one name and remember the outcome. Raises nothing that name servers cause."""
        try:
            answer = await self._look_up(host)
            if not answer.addresses:
                raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
        except OSError as error:
            self._entries[host] = self._failed(host, error)
        else:
            ttl = min(max(answer.ttl, TTL_LEAST_S), TTL_MOST_S)
            self._entries[host] = _Entry(answer.addresses, self._clock() + ttl)
        finally:
            del self._lookups[host]

    def _failed(self, host: str, error: OSError) -> _Entry:
        former = self._entries.get(host)
        if former is None or not former.addresses:
            return _Entry((), self._clock() + FAILED_S, error)
        return _Entry(former.addresses, self._clock() + RETRY_S)
