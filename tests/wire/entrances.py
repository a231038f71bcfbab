"""An entrance over loopback, with stand-ins for its limits, its connections and the sockets it accepts."""

import asyncio
import ipaddress
import socket
import struct
from contextlib import asynccontextmanager
from types import SimpleNamespace

from relay.infra.fair_semaphore import Turns
from relay.wire.entrance import Entrance, Gate
from relay.wire.handshake_places import HandshakePlaces
from relay.wire.handshake_turns import AT_ONCE, HandshakeTurns

PATIENCE_S = 5.0
HEADER = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([192, 0, 2, 7, 127, 0, 0, 1]) + struct.pack("!HH", 1, 2)
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


class Guest(asyncio.Protocol):
    """A connection that says hello and tells what it heard."""

    def __init__(self):
        self.seen_from = ""
        self.heard = b""
        self.lost = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"hello")

    def data_received(self, data):
        self.heard += data

    def connection_lost(self, exc):
        self.lost.set()


class Accepted(socket.socket):
    """An accepted socket that notes which options it was given, and how often it was duplicated."""

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.options, self.duplicates = [], 0

    def setsockopt(self, level, option, value):
        self.options.append((level, option, value))
        super().setsockopt(level, option, value)

    def dup(self):
        self.duplicates += 1
        return socket.socket(fileno=socket.dup(self.fileno()))


class Listening(socket.socket):
    """A listening socket that keeps what it accepted."""

    def __init__(self):
        super().__init__()
        self.accepted = []
        self._came = asyncio.Event()

    async def has_accepted(self, count):
        """Wait until so many were accepted."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.accepted) < count:
                self._came.clear()
                await self._came.wait()

    def accept(self):
        plain, address = super().accept()
        made = Accepted(plain.family, plain.type, plain.proto, plain.detach())
        self.accepted.append(made)
        self._came.set()
        return made, address


class Limits:
    """Lets so many handshakes begin; None: any number."""

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
async def entrance(*, balancers=(), handshake_s=PATIENCE_S, context=None, most=None, slots=100, turns=HandshakeTurns):
    guests, rejected, told = [], [], asyncio.Event()

    def make():
        guests.append(Guest())
        return guests[-1]

    def note(address, why):
        rejected.append((address, why))
        told.set()

    bound = Listening()
    bound.bind(("127.0.0.1", 0))
    limits = Limits(most)
    loop = asyncio.get_running_loop()
    gate = Gate(balancers, context, handshake_s, limits, HandshakePlaces(slots), turns(Turns(AT_ONCE, 1), str, loop))
    door = Entrance(bound, gate, make, note, loop)
    door.open()
    try:
        yield SimpleNamespace(
            door=door, gate=gate, guests=guests, rejected=rejected, told=told, limits=limits, listening=bound
        )
    finally:
        await door.close()
        for guest in guests:
            if hasattr(guest, "transport"):
                guest.transport.abort()
                await guest.lost.wait()


async def said(port, *pieces):
    """What the relay says to who sends these pieces; b"" when it cuts."""
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
