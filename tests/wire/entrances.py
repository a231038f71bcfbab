"""An acceptor on loopback, with fakes of its limits, its connections and the sockets it accepts."""

import asyncio
import errno
import ipaddress
import socket
import struct
from contextlib import asynccontextmanager
from types import SimpleNamespace

from relay.infra.fair_semaphore import FairSemaphore
from relay.wire.acceptor import AcceptorOptions, ConnectionAcceptor
from relay.wire.tls.handshake_permits import HandshakePermits
from relay.wire.tls.handshake_turns import AT_ONCE, HandshakeTurns

PATIENCE_S = 5.0
HEADER = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([192, 0, 2, 7, 127, 0, 0, 1]) + struct.pack("!HH", 1, 2)
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


class FakeConnection(asyncio.Protocol):
    """A connection that sends hello and keeps received bytes."""

    def __init__(self):
        self.announced_address = ""
        self.received = b""
        self.lost = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"hello")

    def data_received(self, data):
        self.received += data

    def connection_lost(self, exc):
        self.lost.set()


class Accepted(socket.socket):
    """An accepted socket that keeps its options and the number of its duplicates."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.options, self.duplicates = [], 0

    def setsockopt(self, level, option, value):
        self.options.append((level, option, value))
        super().setsockopt(level, option, value)

    def dup(self):
        self.duplicates += 1
        return socket.socket(fileno=socket.dup(self.fileno()))


class Disconnected(Accepted):
    """An accepted socket whose descriptor is closed."""

    def setsockopt(self, *_):
        raise OSError(errno.EBADF, "Bad file descriptor")


class Listening(socket.socket):
    """A listening socket that keeps the sockets it accepted, of the class `accepted_class`."""

    def __init__(self):
        super().__init__()
        self.accepted, self.accepted_class = [], Accepted
        self._is_accepted = asyncio.Event()

    async def wait_for_accepted(self, count):
        """Wait until `count` sockets were accepted."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.accepted) < count:
                self._is_accepted.clear()
                await self._is_accepted.wait()

    def accept(self):
        plain, address = super().accept()
        accepted = self.accepted_class(plain.family, plain.type, plain.proto, plain.detach())
        self.accepted.append(accepted)
        self._is_accepted.set()
        return accepted, address


class Limits:
    """Allows `most` handshakes; None: any number."""

    def __init__(self, most=None):
        self.most = most
        self.taken, self.released = [], []
        self.failed = 0

    def take(self, address):
        if self.most is not None and len(self.taken) >= self.most:
            return False
        self.taken.append(address)
        return True

    def release(self, address, *, failed):
        self.released.append(address)
        self.failed += failed


@asynccontextmanager
async def open_acceptor(
    *, balancers=(), handshake_s=PATIENCE_S, context=None, most=None, permits=100, turns=HandshakeTurns
):
    connections, rejected, is_rejected = [], [], asyncio.Event()

    def build_connection():
        connections.append(FakeConnection())
        return connections[-1]

    def on_rejected(address, reason):
        rejected.append((address, reason))
        is_rejected.set()

    listening = Listening()
    listening.bind(("127.0.0.1", 0))
    limits = Limits(most)
    loop = asyncio.get_running_loop()
    options = AcceptorOptions(
        balancers, context, handshake_s, limits, HandshakePermits(permits), turns(FairSemaphore(AT_ONCE, 1), str, loop)
    )
    acceptor = ConnectionAcceptor(listening, options, build_connection, on_rejected, loop)
    acceptor.open()
    try:
        yield SimpleNamespace(
            acceptor=acceptor,
            options=options,
            connections=connections,
            rejected=rejected,
            is_rejected=is_rejected,
            limits=limits,
            listening=listening,
        )
    finally:
        await acceptor.close()
        for connection in connections:
            if hasattr(connection, "transport"):
                connection.transport.abort()
                await connection.lost.wait()


async def send_and_read(port, *pieces):
    """Send pieces to the acceptor. Returns its first bytes, b"" if it cuts the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE_S):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read(5)
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()
