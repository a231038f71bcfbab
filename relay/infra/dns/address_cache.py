"""Cache of host addresses: kept for their TTL, and longer while name servers fail."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

_log = logging.getLogger(__name__)

MIN_TTL_S: Final = 5.0
"""Minimum time in the cache; entries of /etc/hosts have no TTL."""

MAX_TTL_S: Final = 300.0
"""Maximum time in the cache, so that a moved host is noticed."""

FAILED_S: Final = 1.0
"""Delay before repeating a failed look-up of a name without cached addresses."""

RETRY_S: Final = 5.0
"""Delay before repeating a failed look-up of a name with cached addresses."""


@dataclass(frozen=True, slots=True)
class ResolvedAddresses:
    """Numeric addresses of a name in order of preference, and their TTL in seconds."""

    addresses: tuple[str, ...]
    ttl: float


LookUp = Callable[[str], Awaitable[ResolvedAddresses]]
"""Looks up one name. Raises OSError, or `socket.gaierror` if the name has no address."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """Cached result of a name until monotonic `until`: addresses or an error."""

    addresses: tuple[str, ...]
    until: float
    error: OSError | None = None


class AddressCache:
    """Resolves names through `look_up`, with one look-up per name at a time. `clock` is monotonic, in seconds.

    Expired addresses are returned at once while a look-up refreshes them, and kept if that look-up fails.
    Belongs to one event loop.
    """

    def __init__(self, look_up: LookUp, clock: Callable[[], float]) -> None:
        self._look_up = look_up
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._lookups: dict[str, asyncio.Task[None]] = {}

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Returns the addresses of a host, at least one. Raises OSError, also `socket.gaierror`."""
        entry = self._entries.get(host)
        if entry is None or entry.until <= self._clock():
            lookup = self._lookups.get(host)
            if lookup is None:
                lookup = self._lookups[host] = asyncio.create_task(self._refresh(host))
            if entry is None or not entry.addresses:
                await asyncio.shield(lookup)  # a cancelled caller must not cancel the others
                entry = self._entries[host]
        if entry.error is not None:
            raise type(entry.error)(*entry.error.args)
        return entry.addresses

    async def _refresh(self, host: str) -> None:
        """Looks up one name and caches the result or the error."""
        try:
            resolved = await self._look_up(host)
            if not resolved.addresses:
                raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
        except OSError as error:
            self._entries[host] = self._build_error_entry(host, error)
        else:
            ttl = min(max(resolved.ttl, MIN_TTL_S), MAX_TTL_S)
            self._entries[host] = _Entry(resolved.addresses, self._clock() + ttl)
        finally:
            del self._lookups[host]

    def _build_error_entry(self, host: str, error: OSError) -> _Entry:
        former = self._entries.get(host)
        if former is None or not former.addresses:
            return _Entry((), self._clock() + FAILED_S, error)
        return _Entry(former.addresses, self._clock() + RETRY_S)
