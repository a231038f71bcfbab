"""Opening connections to a provider: its addresses in turn, its TLS identity, its time to connect."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from relay.infra.diagnostics.causes import cause_of
from relay.infra.dns.opening import open_socket
from relay.policy.settings.scalars import ProviderTimeouts
from relay.wire.client import ClientConnection
from relay.wire.closed import CLOSED

SHUTDOWN_S: Final = 1.0
"""So long a TLS connection waits for the institution to agree to its end; uvloop's default is 30 s."""

UNIX = "authority"
"""What stands for a host where there is none."""


class NotConnected(Exception):
    """No place took a connection. The text is the cause at each of them (`diagnostics.causes`)."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of a provider."""

    host: str
    port: int

    @classmethod
    def of(cls, base_url: str) -> "Instance":
        """The place a base URL names."""
        url = urlsplit(base_url)
        return cls(url.hostname or "", url.port or (443 if url.scheme == "https" else 80))


def _give_up(connection: ClientConnection) -> None:
    """Detach a connection attempt. uvloop closes its transport and may report neither its begin nor its end."""
    connection.reusable = False
    connection.transport.abort()
    connection.transport = CLOSED


class Dialer:
    """Dials the places of one provider; one that does not answer is passed over."""

    def __init__(
        self,
        base_urls: tuple[str, ...],
        context: ssl.SSLContext | None,
        timeouts: ProviderTimeouts,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._places = [Instance.of(url) for url in base_urls]
        self._context = context
        self.timeouts = timeouts
        self._loop = loop
        self._handshakes: set[asyncio.Task[Any]] = set()

    def idle_limit(self, connection: ClientConnection) -> float:
        """Seconds a connection may idle: ours, or less when the provider announced less (`Keep-Alive: timeout=N`)."""
        ours = self.timeouts.idle_s
        if connection.keep_alive is None:
            return ours
        for part in connection.keep_alive.split(b","):
            name, _, value = part.strip().partition(b"=")
            if name.lower() == b"timeout" and value.isdigit():
                return min(ours, max(0.0, int(value[:6]) - 1.0))
        return ours

    @property
    def places(self) -> int:
        """How many places there are."""
        return len(self._places)

    async def dial(self, on_lost: Callable[[ClientConnection], None], first: int) -> ClientConnection:
        """A fresh connection to place `first`, else to the next that takes one in time. Raises NotConnected."""
        causes: list[str] = []
        for step in range(len(self._places)):
            index = (first + step) % len(self._places)
            try:
                async with asyncio.timeout(self.timeouts.connect_s):
                    connection = await self._connect(self._places[index], on_lost)
            except (OSError, ssl.SSLError, TimeoutError, UnicodeError) as error:  # a host can be no name (IDNA)
                causes.append(cause_of(error))
                continue
            connection.place = index
            return connection
        raise NotConnected(" ".join(dict.fromkeys(causes)))

    async def _connect(self, place: Instance, on_lost: Callable[[ClientConnection], None]) -> ClientConnection:
        connection = ClientConnection(on_lost)
        try:
            if self._context is None:
                await self._loop.create_connection(lambda: connection, place.host, place.port)
            else:
                await asyncio.shield(
                    self._handshake(await open_socket(self._loop, place.host, place.port), place.host, connection)
                )
        except BaseException:
            _give_up(connection)
            raise
        connection.born = self._loop.time()
        return connection

    def _handshake(self, connected: socket.socket, host: str, connection: ClientConnection) -> asyncio.Task[Any]:
        """A TLS handshake that ends by itself, in time, also when its caller gives up.

        uvloop keeps the buffers of a handshake that is cancelled (256 KiB) until a full collection.
        """
        connecting = self._loop.create_connection(
            lambda: connection,
            sock=connected,
            ssl=self._context,
            server_hostname=host,
            ssl_handshake_timeout=self.timeouts.connect_s,
            ssl_shutdown_timeout=SHUTDOWN_S,
        )
        task = self._loop.create_task(connecting)
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)
        return task


class UnixDialer(Dialer):
    """Dials one neighbour on this machine by its socket's path."""

    def __init__(self, path: str, timeouts: ProviderTimeouts, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__((f"http://{UNIX}",), None, timeouts, loop)
        self._path = path

    async def _connect(self, place: Instance, on_lost: Callable[[ClientConnection], None]) -> ClientConnection:
        del place
        connection = ClientConnection(on_lost)
        try:
            await self._loop.create_unix_connection(lambda: connection, self._path)
        except BaseException:
            _give_up(connection)
            raise
        connection.born = self._loop.time()
        return connection
