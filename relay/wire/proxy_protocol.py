"""PROXY protocol v2: a load balancer tells, before the first byte of TLS, for whom it connects."""

import asyncio
import ipaddress
import ssl
import struct
from collections.abc import Callable
from typing import Final

from relay.wire.server import ServerConnection
from relay.wire.watch import Watch

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED: Final = 16
_VERSION_2: Final = 2
_LOCAL, _PROXY = 0, 1
_MOST: Final = 536
"""Bytes of addresses and extensions taken; balancers send far less."""

_FAMILIES: Final = {1: (4, ipaddress.IPv4Address), 2: (16, ipaddress.IPv6Address)}


class NoProxyHeader(Exception):
    """What came is no PROXY v2 header."""


def header_length(fixed: bytes) -> int:
    """Bytes that follow the first 16. Raises NoProxyHeader."""
    length = int(struct.unpack("!H", fixed[14:16])[0])
    if fixed[:12] != _SIGNATURE or fixed[12] >> 4 != _VERSION_2 or length > _MOST:
        raise NoProxyHeader
    return length


def source_of(header: bytes) -> str:
    """The caller's address in a whole header; "" for the balancer's own checks (LOCAL). Raises NoProxyHeader."""
    command, family = header[12] & 0x0F, header[13] >> 4
    if command == _LOCAL:
        return ""
    if command != _PROXY or family not in _FAMILIES:
        raise NoProxyHeader
    size, kind = _FAMILIES[family]
    if len(header) < _FIXED + 2 * size + 4:
        raise NoProxyHeader
    return str(kind(header[_FIXED : _FIXED + size]))


class ProxyGreeting(asyncio.BufferedProtocol):
    """Reads exactly the header and not a byte of what follows, then hands the transport over, through TLS if asked."""

    def __init__(
        self,
        make: Callable[[], ServerConnection],
        trusted: tuple[str, ...],
        context: ssl.SSLContext | None,
        patience_s: float,
        watch: Watch,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._make = make
        self._trusted = [ipaddress.ip_network(network, strict=False) for network in trusted]
        self._context = context
        self._patience_s = patience_s
        self._watch = watch
        self._loop = loop
        self._header = bytearray(_FIXED)
        self._read = 0
        self._upgrade: asyncio.Task[None] | None = None
        self.deadline = loop.time() + patience_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let nobody but the balancers in."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        balancer = ipaddress.ip_address(str(transport.get_extra_info("peername")[0]).removeprefix("::ffff:"))
        if not any(balancer in network for network in self._trusted):
            self._transport.abort()
            return
        self._watch.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget it."""
        self._watch.discard(self)

    def overdue(self, now: float) -> None:  # noqa: ARG002 - the watch's signature
        """Cut who announces nobody."""
        self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Room for the rest of the header, and for nothing else."""
        return memoryview(self._header)[self._read :]

    def buffer_updated(self, nbytes: int) -> None:
        """Take the header; at its end hand over."""
        self._read += nbytes
        if self._read < len(self._header):
            return
        try:
            if len(self._header) == _FIXED and (rest := header_length(bytes(self._header))):
                self._header.extend(bytes(rest))
                return
            source = source_of(bytes(self._header))
        except NoProxyHeader:
            self._transport.abort()
            return
        self._watch.discard(self)
        self._hand_over(source)

    def _hand_over(self, source: str) -> None:
        connection = self._make()
        connection.seen_from = source
        if self._context is None:
            self._transport.set_protocol(connection)
            connection.connection_made(self._transport)
        else:
            self._transport.pause_reading()
            self._upgrade = self._loop.create_task(self._to_tls(connection, self._context))

    async def _to_tls(self, connection: ServerConnection, context: ssl.SSLContext) -> None:
        waiting = _Waiting()
        try:
            secured = await self._loop.start_tls(
                self._transport, waiting, context, server_side=True, ssl_handshake_timeout=self._patience_s
            )
        except (OSError, ssl.SSLError):
            self._transport.abort()
            return
        if secured is None or waiting.lost:
            return
        secured.set_protocol(connection)
        connection.connection_made(secured)
        if waiting.held:
            connection.data_received(bytes(waiting.held))


class _Waiting(asyncio.Protocol):
    """Holds what the peer sends along with the end of its handshake."""

    def __init__(self) -> None:
        self.held = bytearray()
        self.lost = False

    def data_received(self, data: bytes) -> None:
        self.held += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.lost = True
