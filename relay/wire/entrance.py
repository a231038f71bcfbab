"""The way in: from an accepted socket to a connection, past the load balancer's PROXY header and the TLS handshake.

Every handshake that fails is told to somebody: with TLS 1.3 the caller learns of its rejection late and dimly, so the
reason must be known here.
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

from relay.wire.alert import Alert
from relay.wire.client_hello import PEEKED_BYTES, missing_bytes
from relay.wire.handshake_places import HandshakePlaces
from relay.wire.handshake_turns import HandshakeTurns
from relay.wire.proxy_protocol import FIXED_BYTES, NoProxyHeader, header_length, source_of
from relay.wire.server import ServerConnection
from relay.wire.sockets import bound_accepted

_BACKLOG: Final = 1024

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_BREATH_S: Final = 0.1
_ACCEPTS_PER_TURN: Final = 4
_LEAST_S: Final = 0.001
_HELLO_PAUSE_S: Final = 0.01

SHUTDOWN_S: Final = 1.0
"""So long a closed TLS connection waits for its peer to agree; uvloop's default keeps its seat for 30 s."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Rejected(StrEnum):
    """Why nobody came in."""

    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CERTIFICATE_MISSING = "certificate_missing"
    PROTOCOL = "protocol"
    TOO_SLOW = "too_slow"
    CLOSED = "closed"
    NO_PROXY_HEADER = "no_proxy_header"
    NO_DESCRIPTORS = "no_descriptors"
    HANDSHAKES_EXCEEDED = "handshakes_exceeded"
    TURN_TIMEOUT = "turn_timeout"


class TurnTimeout(TimeoutError):
    """The handshake had no turn within its time: the relay was too busy, not the peer too slow."""


_VERIFY: Final = {
    9: Rejected.CERTIFICATE_NOT_YET_VALID,  # X509_V_ERR_CERT_NOT_YET_VALID
    10: Rejected.CERTIFICATE_EXPIRED,  # X509_V_ERR_CERT_HAS_EXPIRED
}


def why_rejected(error: Exception) -> Rejected:
    """The reason of a failed handshake."""
    if isinstance(error, NoProxyHeader):
        return Rejected.NO_PROXY_HEADER
    if isinstance(error, TurnTimeout):
        return Rejected.TURN_TIMEOUT
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY.get(error.verify_code, Rejected.CERTIFICATE_UNTRUSTED)
    if isinstance(error, ssl.SSLError):
        missing = getattr(error, "reason", "") == "PEER_DID_NOT_RETURN_A_CERTIFICATE"  # RecordsExceeded has none
        return Rejected.CERTIFICATE_MISSING if missing else Rejected.PROTOCOL
    if isinstance(error, OSError) and error.errno in _EXHAUSTED:
        return Rejected.NO_DESCRIPTORS
    return Rejected.TOO_SLOW if isinstance(error, ConnectionAbortedError | TimeoutError) else Rejected.CLOSED


def _peek(accepted: socket.socket) -> bytes:
    """Return what has come and was not read yet. Raises OSError."""
    try:
        return accepted.recv(PEEKED_BYTES, socket.MSG_PEEK)
    except BlockingIOError:
        return b""


def _has_ended(accepted: socket.socket) -> bool:
    """Whether the peer sends nothing more."""
    poll = select.poll()
    poll.register(accepted, select.POLLRDHUP)
    return bool(poll.poll(0))


class HandshakeLimits(Protocol):
    """How many handshakes one address may begin and have under way."""

    def take(self, address: str) -> bool:
        """Whether one more may begin now. Each that may is given back by `release`."""

    def release(self, address: str, *, failed: bool) -> None:
        """A handshake has ended; `failed` when the peer's TLS was refused."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What an entrance asks for: PROXY headers from `balancers` (none: no header), TLS by `context` (None: no TLS).

    `context` is asked anew for each handshake. `limits` bound those of an address, `places` those of all together,
    `turns` those that compute at once. `handshake_s` bounds the whole way in, a PROXY header and the waiting included.
    """

    balancers: tuple[Network, ...]
    context: Callable[[], ssl.SSLContext] | None
    handshake_s: float
    limits: HandshakeLimits
    places: HandshakePlaces
    turns: HandshakeTurns


class Entrance:
    """One listening socket. Whoever gets through the gate becomes a connection made by `make`.

    `rejected(address, why)` hears of everyone else.
    """

    def __init__(
        self,
        listening: socket.socket,
        gate: Gate,
        make: Callable[[], ServerConnection],
        rejected: Callable[[str, Rejected], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._listening = listening
        self._gate = gate
        self._make = make
        self._rejected = rejected
        self._loop = loop
        self._entering: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._listening.getsockname()[1])

    def open(self) -> None:
        """Begin to take callers."""
        bound_accepted(self._listening)
        self._listening.listen(_BACKLOG)
        self._listening.setblocking(False)
        self._accepting = self._loop.create_task(self._accept())

    async def close(self) -> None:
        """Take no more callers; handshakes under way may end."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        self._listening.close()

    def abort(self) -> None:
        """Cut handshakes under way."""
        for entering in self._entering:
            entering.cancel()

    async def _accept(self) -> None:
        accepted_in_turn = 0
        while True:
            try:
                accepted, name = await self._next_caller()
            except OSError as error:  # no descriptors left, or the caller is gone already
                self._rejected("", why_rejected(error))
                if error.errno in _EXHAUSTED:
                    await asyncio.sleep(_BREATH_S)
                continue
            task = self._loop.create_task(self._admit(accepted, str(name[0]).removeprefix("::ffff:")))
            self._entering.add(task)
            task.add_done_callback(partial(self._leave, accepted))
            accepted_in_turn += 1
            if accepted_in_turn == _ACCEPTS_PER_TURN:  # PERF: callers that stand wait for no flood of new ones
                accepted_in_turn = 0
                await asyncio.sleep(0)

    async def _next_caller(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept one connection. Unlike `loop.sock_accept`, a cancelled call loses no socket. Raises OSError."""
        while True:
            try:
                accepted, name = self._listening.accept()
            except BlockingIOError:
                await self._readable(self._listening)
            else:
                accepted.setblocking(False)  # it does not inherit that
                return accepted, name

    async def _readable(self, waited_for: socket.socket) -> None:
        readable = self._loop.create_future()
        self._loop.add_reader(waited_for, self._wake, readable)
        try:
            await readable
        finally:
            self._loop.remove_reader(waited_for)

    @staticmethod
    def _wake(readable: asyncio.Future[None]) -> None:
        if not readable.done():
            readable.set_result(None)

    def _leave(self, accepted: socket.socket, entering: asyncio.Task[None]) -> None:
        self._entering.discard(entering)
        self._gate.places.remove(accepted)
        if entering.cancelled():  # also one that was cancelled before its first step
            accepted.close()

    async def _admit(self, accepted: socket.socket, address: str) -> None:
        """Let one caller in, or say why not."""
        gate, announced, alert = self._gate, "", Alert(accepted)
        deadline = self._loop.time() + gate.handshake_s
        gate.places.add(accepted)
        try:
            if gate.balancers:
                async with asyncio.timeout_at(deadline):
                    announced = await self._announced(accepted, address)
            address = announced or address
            if not gate.limits.take(address):
                accepted.close()
                self._rejected(address, Rejected.HANDSHAKES_EXCEEDED)
                return
            failed = False
            try:
                await self._shake_hands(accepted, address, announced, deadline)
            except ssl.SSLError:
                failed = True
                raise
            finally:
                gate.limits.release(address, failed=failed)
        except (NoProxyHeader, OSError, ssl.SSLError, TimeoutError) as error:
            accepted.close()
            kept = accepted in gate.places
            self._rejected(address, why_rejected(error) if kept else Rejected.HANDSHAKES_EXCEEDED)
            await alert.send(self._loop)
        finally:
            alert.close()

    async def _shake_hands(self, accepted: socket.socket, address: str, announced: str, deadline: float) -> None:
        """Make a connection of the socket. Raises OSError, ssl.SSLError and TimeoutError."""
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self._make()
        connection.seen_from = announced
        if self._gate.context is None:
            await self._loop.connect_accepted_socket(lambda: connection, accepted)
            return
        async with asyncio.timeout_at(deadline):
            await self._client_hello(accepted)
        self._gate.places.renew(accepted)
        try:
            async with asyncio.timeout_at(deadline):
                turn = await self._gate.turns.take(address)
        except TimeoutError as error:
            raise TurnTimeout from error
        try:
            if accepted not in self._gate.places:  # it lost its place while it waited
                raise ConnectionResetError
            if self._loop.time() >= deadline:
                raise TurnTimeout
            await self._loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._gate.context(),
                ssl_handshake_timeout=max(deadline - self._loop.time(), _LEAST_S),
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
        finally:
            turn.end()
        # PERF: nothing answers the handshake's last flight. A client with Nagle's algorithm holds its first call back
        # until it is acknowledged: 42 ms; acknowledged here, 2 ms.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    async def _client_hello(self, accepted: socket.socket) -> None:
        """Wait until a whole ClientHello has come: a peer that sends part of it takes no turn.

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
                await self._readable(accepted)
        finally:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    async def _announced(self, accepted: socket.socket, balancer: str) -> str:
        """Whom a trusted load balancer announces; not a byte beyond its header is read. Raises NoProxyHeader."""
        if not any(ipaddress.ip_address(balancer) in network for network in self._gate.balancers):
            raise NoProxyHeader
        fixed = await self._exactly(accepted, FIXED_BYTES)
        return source_of(fixed + await self._exactly(accepted, header_length(fixed)))

    async def _exactly(self, accepted: socket.socket, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = await self._loop.sock_recv(accepted, size - len(found))
            if not part:
                raise NoProxyHeader
            found += part
        return found
