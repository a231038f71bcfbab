"""Probes whether an institution accepts connections, TLS included (지원-102)."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from relay.infra.upstream.dialing import Instance
from relay.infra.upstream.tls import TlsError
from relay.policy.settings.directory import Language, Provider
from relay.policy.upstream.adapter_headers import LINES_PATH

TIMEOUT_S: Final = 2.0
"""How long an institution may take to accept a connection."""

CACHED_S: Final = 5.0
"""How long a result is used without a new attempt."""

_OPEN: Final = b"HTTP/1.1 200 "

_Key = tuple[str, tuple[str, ...]]


class Probes:
    """The Probe of the support APIs. Concurrent probes of one institution share one attempt.

    `get_context` returns the TLS context for an institution, None on a leased line; it raises TlsError if the files
    are unusable. `clock` is monotonic, in seconds. `adapter` is the unix socket of the adapter, which knows whether the
    lines of its institutions are open. Belongs to one event loop.
    """

    def __init__(
        self, get_context: Callable[[Provider], ssl.SSLContext | None], clock: Callable[[], float], adapter: str = ""
    ) -> None:
        self._get_context = get_context
        self._clock = clock
        self._adapter = adapter
        self._results: dict[_Key, tuple[float, bool | None]] = {}
        self._running: dict[_Key, asyncio.Task[bool | None]] = {}

    async def reaches(self, provider: Provider) -> bool | None:
        """Returns whether an instance accepts a connection in time; None if TLS files are unusable."""
        key, now = (provider.org_code, provider.base_urls), self._clock()
        self._results = {each: result for each, result in self._results.items() if now - result[0] < CACHED_S}
        if key in self._results:
            return self._results[key][1]
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.create_task(self._probe_once(key, provider))
        return await asyncio.shield(running)  # a cancelled caller must not cancel the others

    def close(self) -> None:
        """Cancels running probes."""
        for running in tuple(self._running.values()):
            running.cancel()

    async def _probe_once(self, key: _Key, provider: Provider) -> bool | None:
        try:
            result = await self._probe(provider)
        finally:
            del self._running[key]
        self._results[key] = (self._clock(), result)
        return result

    async def _probe(self, provider: Provider) -> bool | None:
        try:
            context = self._get_context(provider)
        except TlsError:
            return None
        attempts = [asyncio.create_task(_accepts(Instance.of(url), context)) for url in provider.base_urls]
        if provider.speaks is Language.TELEGRAM:
            attempts = [asyncio.create_task(_has_line(self._adapter, provider.org_code))]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                for attempt in asyncio.as_completed(attempts):
                    if await attempt:
                        return True
        except TimeoutError:
            return False
        finally:
            for task in attempts:
                task.cancel()
        return False


async def _accepts(instance: Instance, context: ssl.SSLContext | None) -> bool:
    """Returns whether an instance accepts a connection. The connection is aborted at once."""
    name = instance.host if context is not None else None
    try:
        _, writer = await asyncio.open_connection(instance.host, instance.port, ssl=context, server_hostname=name)
    except (OSError, UnicodeError):  # ssl.SSLError is an OSError; UnicodeError: the host is no valid name (IDNA)
        return False
    writer.transport.abort()
    return True


async def _has_line(adapter: str, org_code: str) -> bool:
    """Returns whether the adapter has an open line to the core of an institution."""
    try:
        reader, writer = await asyncio.open_unix_connection(adapter)
        try:
            head = f"GET /{org_code}{LINES_PATH} HTTP/1.1\r\nHost: adapter\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            return await reader.readexactly(len(_OPEN)) == _OPEN
        finally:
            writer.transport.abort()
    except (OSError, EOFError):
        return False
