"""Whether an institution can be reached: a connection to one of its places, TLS included (지원-102)."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from relay.infra.upstream.dialing import Instance
from relay.infra.upstream.tls import TlsError
from relay.policy.settings.directory import Provider

PATIENCE_S: Final = 2.0
"""So long may a place take to accept a connection."""

REMEMBERED_S: Final = 5.0
"""What was seen is told so long without looking again."""

_Key = tuple[str, tuple[str, ...]]


class Probes:
    """The Probe of the support APIs: who asks about the same institution at the same time shares one attempt.

    `context_of` gives the TLS context toward an institution, None on a leased line; it raises TlsError when there can
    be none. `clock` is monotonic, in seconds. Belongs to one event loop.
    """

    def __init__(self, context_of: Callable[[Provider], ssl.SSLContext | None], clock: Callable[[], float]) -> None:
        self._context_of = context_of
        self._clock = clock
        self._seen: dict[_Key, tuple[float, bool | None]] = {}
        self._running: dict[_Key, asyncio.Task[bool | None]] = {}

    async def reaches(self, provider: Provider) -> bool | None:
        """Whether one of its places takes a connection in time; None when that could not be tried."""
        key, now = (provider.org_code, provider.base_urls), self._clock()
        self._seen = {each: found for each, found in self._seen.items() if now - found[0] < REMEMBERED_S}
        if key in self._seen:
            return self._seen[key][1]
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.create_task(self._look(key, provider))
        return await asyncio.shield(running)  # who stops asking must not stop the others

    def close(self) -> None:
        """Give up what is under way."""
        for running in tuple(self._running.values()):
            running.cancel()

    async def _look(self, key: _Key, provider: Provider) -> bool | None:
        try:
            found = await self._tried(provider)
        finally:
            del self._running[key]
        self._seen[key] = (self._clock(), found)
        return found

    async def _tried(self, provider: Provider) -> bool | None:
        try:
            context = self._context_of(provider)
        except TlsError:
            return None
        places = [asyncio.create_task(_takes(Instance.of(url), context)) for url in provider.base_urls]
        try:
            async with asyncio.timeout(PATIENCE_S):
                for place in asyncio.as_completed(places):
                    if await place:
                        return True
        except TimeoutError:
            return False
        finally:
            for one in places:
                one.cancel()
        return False


async def _takes(place: Instance, context: ssl.SSLContext | None) -> bool:
    """Whether a place takes a connection, which is dropped at once."""
    name = place.host if context is not None else None
    try:
        _, writer = await asyncio.open_connection(place.host, place.port, ssl=context, server_hostname=name)
    except (OSError, UnicodeError):  # ssl.SSLError is an OSError; a host can be no name at all (IDNA)
        return False
    writer.transport.abort()
    return True
