"""Accepts connections: reads the load balancer's PROXY header and performs the TLS handshake.

Each failed handshake is reported with its reason: with TLS 1.3 the caller learns of a rejection late and in few words.
"""

import asyncio
import errno
import ipaddress
import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final, Protocol

from relay.wire.proxy_protocol import FIXED_BYTES, NoProxyHeader, header_length, parse_source
from relay.wire.server import ServerConnection
from relay.wire.sockets import limit_socket_buffers
from relay.wire.tls.alert import Alert
from relay.wire.tls.client_hello import PEEKED_BYTES, missing_bytes
from relay.wire.tls.handshake_permits import HandshakePermits
from relay.wire.tls.handshake_turns import HandshakeTurns

_BACKLOG: Final = 1024

_EXHAUSTED_PAUSE_S: Final = 0.1
_ACCEPTS_PER_TURN: Final = 4
_SHORTEST_S: Final = 0.001
_HELLO_PAUSE_S: Final = 0.01

SHUTDOWN_S: Final = 1.0
"""How long a closed TLS connection waits for the peer's close_notify; uvloop's default is 30 s."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class RejectionReason(StrEnum):
    """Why a connection was rejected before its first request."""

    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CERTIFICATE_MISSING = "certificate_missing"
    PROTOCOL = "protocol"
    TOO_SLOW = "too_slow"
    CLOSED = "closed"
    NO_PROXY_HEADER = "no_proxy_header"
    NO_DESCRIPTORS = "no_descriptors"
    NO_MEMORY = "no_memory"
    HANDSHAKES_EXCEEDED = "handshakes_exceeded"
    TURN_TIMEOUT = "turn_timeout"


_EXHAUSTED: Final = {
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), RejectionReason.NO_DESCRIPTORS),
    **dict.fromkeys((errno.ENOBUFS, errno.ENOMEM), RejectionReason.NO_MEMORY),
}
"""Reasons that concern the relay itself, by error number."""


class TurnTimeout(TimeoutError):
    """The handshake got no turn within its time: the relay was too busy, not the peer too slow."""


_VERIFY: Final = {
    9: RejectionReason.CERTIFICATE_NOT_YET_VALID,  # X509_V_ERR_CERT_NOT_YET_VALID
    10: RejectionReason.CERTIFICATE_EXPIRED,  # X509_V_ERR_CERT_HAS_EXPIRED
}


def get_rejection_reason(error: Exception) -> RejectionReason:
    """Returns the reason of a failed handshake."""
    if isinstance(error, NoProxyHeader):
        return RejectionReason.NO_PROXY_HEADER
    if isinstance(error, TurnTimeout):
        return RejectionReason.TURN_TIMEOUT
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY.get(error.verify_code, RejectionReason.CERTIFICATE_UNTRUSTED)
    if isinstance(error, ssl.SSLError):
        missing = getattr(error, "reason", "") == "PEER_DID_NOT_RETURN_A_CERTIFICATE"  # RecordsExceeded has none
        return RejectionReason.CERTIFICATE_MISSING if missing else RejectionReason.PROTOCOL
    if isinstance(error, OSError) and error.errno in _EXHAUSTED:
        return _EXHAUSTED[error.errno]
    return (
        RejectionReason.TOO_SLOW if isinstance(error, ConnectionAbortedError | TimeoutError) else RejectionReason.CLOSED
    )


def _peek(accepted: socket.socket) -> bytes:
    """Returns received bytes without consuming them. Raises OSError."""
    try:
        return accepted.recv(PEEKED_BYTES, socket.MSG_PEEK)
    except BlockingIOError:
        return b""


def _has_ended(accepted: socket.socket) -> bool:
    """Returns whether the peer has shut down its sending side."""
    poll = select.poll()
    poll.register(accepted, select.POLLRDHUP)
    return bool(poll.poll(0))


class HandshakeLimits(Protocol):
    """Limits how many handshakes one address may begin and have under way."""

    def take(self, address: str) -> bool:
        """Returns whether one more handshake may begin. If so, `release` must be called at its end."""

    def release(self, address: str, *, failed: bool) -> None:
        """Counts the end of a handshake; `failed` if the peer's TLS was refused."""


@dataclass(frozen=True, slots=True)
class AcceptorOptions:
    """The options of an acceptor: PROXY headers from `balancers` (none: no header), TLS by `context` (None: no TLS).

    `context` is called for each handshake. `limits` bound the handshakes of an address, `permits` those of all, `turns`
    those that compute at once. `handshake_s` bounds the time from accept to connection, PROXY header included.
    """

    balancers: tuple[Network, ...]
    context: Callable[[], ssl.SSLContext] | None
    handshake_s: float
    limits: HandshakeLimits
    permits: HandshakePermits
    turns: HandshakeTurns


class ConnectionAcceptor:
    """Accepts connections on one listening socket. `build_protocol` builds the protocol of each.

    `on_rejected(address, reason)` is called for each connection that fails before its first request.
    """

    def __init__(
        self,
        listening: socket.socket,
        options: AcceptorOptions,
        build_protocol: Callable[[], ServerConnection],
        on_rejected: Callable[[str, RejectionReason], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._listening = listening
        self._options = options
        self._build_protocol = build_protocol
        self._on_rejected = on_rejected
        self._loop = loop
        self._handshakes: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The listening port."""
        return int(self._listening.getsockname()[1])

    @property
    def has_handshakes(self) -> bool:
        """Whether a handshake is under way."""
        return bool(self._handshakes)

    def open(self) -> None:
        """Listens and starts to accept connections."""
        limit_socket_buffers(self._listening)
        self._listening.listen(_BACKLOG)
        self._listening.setblocking(False)
        self._accepting = self._loop.create_task(self._accept())

    async def close(self) -> None:
        """Accepts no more connections. Handshakes under way continue."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        self._listening.close()

    def abort(self) -> None:
        """Cuts handshakes under way."""
        for task in self._handshakes:
            task.cancel()

    async def _accept(self) -> None:
        accepted_in_turn = 0
        while True:
            try:
                accepted, name = await self._accept_next()
            except OSError as error:  # no descriptors are left, or the peer has disconnected already
                self._on_rejected("", get_rejection_reason(error))
                if error.errno in _EXHAUSTED:
                    await asyncio.sleep(_EXHAUSTED_PAUSE_S)
                continue
            task = self._loop.create_task(self._admit(accepted, str(name[0]).removeprefix("::ffff:")))
            self._handshakes.add(task)
            task.add_done_callback(partial(self._forget_handshake, accepted))
            accepted_in_turn += 1
            # PERF: established connections do not wait for a flood of new ones
            if accepted_in_turn == _ACCEPTS_PER_TURN:
                accepted_in_turn = 0
                await asyncio.sleep(0)

    async def _accept_next(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accepts one connection. Unlike `loop.sock_accept`, a cancelled call loses no socket. Raises OSError."""
        while True:
            try:
                accepted, name = self._listening.accept()
            except BlockingIOError:
                await self._wait_until_readable(self._listening)
            else:
                accepted.setblocking(False)  # an accepted socket does not inherit this
                return accepted, name

    async def _wait_until_readable(self, watched: socket.socket) -> None:
        readable = self._loop.create_future()
        self._loop.add_reader(watched, self._wake, readable)
        try:
            await readable
        finally:
            self._loop.remove_reader(watched)

    @staticmethod
    def _wake(readable: asyncio.Future[None]) -> None:
        if not readable.done():
            readable.set_result(None)

    def _forget_handshake(self, accepted: socket.socket, task: asyncio.Task[None]) -> None:
        self._handshakes.discard(task)
        self._options.permits.remove(accepted)
        if task.cancelled():  # includes a task that was cancelled before its first step
            accepted.close()

    async def _admit(self, accepted: socket.socket, address: str) -> None:
        """Completes one connection, or reports why it was rejected."""
        options, announced, alert = self._options, "", Alert(accepted)
        deadline = self._loop.time() + options.handshake_s
        options.permits.add(accepted)
        try:
            if options.balancers:
                async with asyncio.timeout_at(deadline):
                    announced = await self._read_proxy_header(accepted, address)
            address = announced or address
            if not options.limits.take(address):
                accepted.close()
                self._on_rejected(address, RejectionReason.HANDSHAKES_EXCEEDED)
                return
            failed = False
            try:
                await self._shake_hands(accepted, address, announced, deadline)
            except ssl.SSLError:
                failed = True
                raise
            finally:
                options.limits.release(address, failed=failed)
        except (NoProxyHeader, OSError, ssl.SSLError, TimeoutError) as error:
            accepted.close()
            has_permit = accepted in options.permits
            reason = get_rejection_reason(error) if has_permit else RejectionReason.HANDSHAKES_EXCEEDED
            self._on_rejected(address, reason)
            await alert.send(self._loop)
        finally:
            alert.close()

    async def _shake_hands(self, accepted: socket.socket, address: str, announced: str, deadline: float) -> None:
        """Turns the socket into a connection. Raises OSError, ssl.SSLError and TimeoutError."""
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self._build_protocol()
        connection.announced_address = announced
        if self._options.context is None:
            await self._loop.connect_accepted_socket(lambda: connection, accepted)
            return
        async with asyncio.timeout_at(deadline):
            await self._wait_for_client_hello(accepted)
        self._options.permits.renew(accepted)
        try:
            async with asyncio.timeout_at(deadline):
                turn = await self._options.turns.acquire(address)
        except TimeoutError as error:
            raise TurnTimeout from error
        try:
            if accepted not in self._options.permits:  # the socket lost its permit while it waited
                raise ConnectionResetError
            if self._loop.time() >= deadline:
                raise TurnTimeout
            await self._loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._options.context(),
                ssl_handshake_timeout=max(deadline - self._loop.time(), _SHORTEST_S),
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
        finally:
            turn.end()
        # PERF: the server does not answer the client's last handshake message. With Nagle's algorithm the client holds
        # its first call back until that message is acknowledged: 42 ms; acknowledged here, 2 ms.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    async def _wait_for_client_hello(self, accepted: socket.socket) -> None:
        """Waits until a whole ClientHello has come: a peer that sends only a part of it takes no turn.

        Raises OSError when the peer has ended, and RecordsExceeded.
        """
        seen, pause_s = -1, _HELLO_PAUSE_S
        try:
            while missing := missing_bytes(data := _peek(accepted)):
                if _has_ended(accepted):
                    raise ConnectionResetError
                if len(data) == seen:  # readable without new bytes: urgent data, or a full receive buffer
                    await asyncio.sleep(pause_s)
                    pause_s *= 2
                seen = len(data)
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, seen + missing)
                await self._wait_until_readable(accepted)
        finally:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    async def _read_proxy_header(self, accepted: socket.socket, balancer: str) -> str:
        """Reads the header of a trusted balancer and no byte more. Returns its address. Raises NoProxyHeader."""
        if not any(ipaddress.ip_address(balancer) in network for network in self._options.balancers):
            raise NoProxyHeader
        fixed = await self._read_exactly(accepted, FIXED_BYTES)
        return parse_source(fixed + await self._read_exactly(accepted, header_length(fixed)))

    async def _read_exactly(self, accepted: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = await self._loop.sock_recv(accepted, size - len(data))
            if not part:
                raise NoProxyHeader
            data += part
        return data
