"""Opens connections to the instances of an upstream, with TLS and a time limit."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from relay.infra.diagnostics.causes import classify_error
from relay.infra.dns.happy_eyeballs import connect_socket
from relay.policy.settings.scalars import ProviderTimeouts
from relay.wire.client import ClientConnection
from relay.wire.closed import CLOSED
from relay.wire.sockets import open_tls_socket

SHUTDOWN_S: Final = 1.0
"""How long a closed TLS connection waits for the institution's close_notify; uvloop's default is 30 s."""

UNIX = "authority"
"""The host in the base URL of a Unix socket, for logs."""


class NotConnected(Exception):
    """An instance accepted no connection. The text is the cause (`diagnostics.causes`)."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of an upstream."""

    host: str
    port: int

    @classmethod
    def of(cls, base_url: str) -> "Instance":
        """Builds the instance of a base URL."""
        url = urlsplit(base_url)
        return cls(url.hostname or "", url.port or (443 if url.scheme == "https" else 80))


def _abandon(connection: ClientConnection) -> None:
    """Detaches a failed attempt. uvloop closes its transport, maybe without connection_made and connection_lost."""
    connection.reusable = False
    connection.transport.abort()
    connection.transport = CLOSED


class Dialer:
    """Opens connections to the instances of one upstream."""

    def __init__(
        self,
        base_urls: tuple[str, ...],
        context: ssl.SSLContext | None,
        timeouts: ProviderTimeouts,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._instances = [Instance.of(url) for url in base_urls]
        self._context = context
        self.timeouts = timeouts
        self._loop = loop
        self._handshakes: set[asyncio.Task[Any]] = set()

    def idle_limit(self, connection: ClientConnection) -> float:
        """Returns how many seconds a connection may idle: `idle_s`, or less by its `Keep-Alive: timeout=N`."""
        idle_s = self.timeouts.idle_s
        if connection.keep_alive is None:
            return idle_s
        for part in connection.keep_alive.split(b","):
            name, _, value = part.strip().partition(b"=")
            if name.lower() == b"timeout" and value.isdigit():
                return min(idle_s, max(0.0, int(value[:6]) - 1.0))
        return idle_s

    def describe(self, index: int) -> str:
        """Returns host and port of an instance, for logs."""
        instance = self._instances[index]
        return f"{instance.host}:{instance.port}"

    @property
    def instance_count(self) -> int:
        """The number of instances."""
        return len(self._instances)

    async def dial(self, on_lost: Callable[[ClientConnection], None], index: int) -> ClientConnection:
        """Connects to instance `index`. Raises NotConnected."""
        try:
            async with asyncio.timeout(self.timeouts.connect_s):
                connection = await self._connect(self._instances[index], on_lost)
        except (OSError, ssl.SSLError, TimeoutError, UnicodeError) as error:  # UnicodeError: no valid name (IDNA)
            raise NotConnected(classify_error(error)) from error
        connection.instance = index
        return connection

    async def _connect(self, instance: Instance, on_lost: Callable[[ClientConnection], None]) -> ClientConnection:
        connection = ClientConnection(on_lost)
        try:
            if self._context is None:
                connected = await connect_socket(self._loop, instance.host, instance.port)
                await self._loop.create_connection(lambda: connection, sock=connected)
            else:
                connected = await connect_socket(self._loop, instance.host, instance.port, open_tls_socket)
                await asyncio.shield(self._start_handshake(connected, instance.host, connection))
        except BaseException:
            _abandon(connection)
            raise
        connection.opened_at = self._loop.time()
        return connection

    def _start_handshake(self, connected: socket.socket, host: str, connection: ClientConnection) -> asyncio.Task[Any]:
        """Starts a TLS handshake that is not cancelled with its caller; it ends by its own timeout.

        uvloop keeps the buffers of a cancelled handshake (256 KiB) until a full garbage collection.
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
        task.add_done_callback(self._end_handshake)
        return task

    def _end_handshake(self, task: asyncio.Task[Any]) -> None:
        """Takes the error of a handshake whose caller was cancelled: asyncio would log it with a traceback."""
        self._handshakes.discard(task)
        if not task.cancelled():
            task.exception()


class UnixDialer(Dialer):
    """Connects to a process on this machine by the path of its Unix socket. `name` is that of the process in logs."""

    def __init__(
        self, path: str, timeouts: ProviderTimeouts, loop: asyncio.AbstractEventLoop, name: str = UNIX
    ) -> None:
        super().__init__((f"http://{name}",), None, timeouts, loop)
        self._path = path

    async def _connect(self, instance: Instance, on_lost: Callable[[ClientConnection], None]) -> ClientConnection:
        del instance
        connection = ClientConnection(on_lost)
        try:
            await self._loop.create_unix_connection(lambda: connection, self._path)
        except BaseException:
            _abandon(connection)
            raise
        connection.opened_at = self._loop.time()
        return connection
