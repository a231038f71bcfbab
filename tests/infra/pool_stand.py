"""A pool over lines that are no sockets, at a time that is told."""

import asyncio
import socket

from relay.infra.upstream.dialing import NotConnected
from relay.infra.upstream.pool import Pool
from relay.policy.settings.scalars import ProviderTimeouts
from relay.wire.client import ClientConnection
from relay.wire.watch import Watch

NAMED = b"x-api-tran-id: ZOPA000001M00000000000001\r\n"
OK = b"HTTP/1.1 200 OK\r\n" + NAMED + b"Content-Length: 2\r\n%b\r\n{}"
UNNAMED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
LARGE = b"HTTP/1.1 200 OK\r\n" + NAMED + b"Content-Length: 100000\r\n\r\n"
UNNAMED_LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


class Line:
    """A transport that keeps what is written and tells what became of it."""

    def __init__(self):
        self.written, self.reading, self.closed = [], True, ""
        self.socket, self.peer = socket.socketpair()

    def get_extra_info(self, _name):
        return self.socket

    def write(self, data):
        self.written.append(data)

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def is_closing(self):
        return bool(self.closed)

    def close(self):
        self.closed = self.closed or "closed"

    def abort(self):
        self.closed = "aborted"


class Loop:
    """A clock that stands still until it is moved, and tasks of the real loop."""

    def __init__(self):
        self.now, self.ready = 1000.0, []

    def time(self):
        return self.now

    def call_soon(self, callback, *arguments):
        self.ready.append((callback, arguments))

    def turn(self):
        """The next turn of the loop."""
        ready, self.ready = self.ready, []
        for callback, arguments in ready:
            callback(*arguments)

    def create_task(self, work):
        return asyncio.get_running_loop().create_task(work)


class Dialled:
    """A dialer whose lines are not connected to anything."""

    timeouts = ProviderTimeouts(connect_s=1, first_byte_s=2, total_s=5, idle_s=4)

    def __init__(self, loop, places=1):
        self.loop, self.lines, self.refusing, self.places = loop, [], "", places
        self.sockets = []

    def idle_limit(self, connection):
        return float(connection.keep_alive.partition(b"=")[2])

    async def dial(self, on_lost, first):
        if self.refusing:
            raise NotConnected(self.refusing)
        connection = ClientConnection(on_lost)
        connection.connection_made(Line())
        self.sockets += (connection.transport.socket, connection.transport.peer)
        connection.born, connection.place = self.loop.now, first
        self.lines.append(connection)
        return connection


class ResponseReceiver:
    def __init__(self, takes=True):
        self.events, self.takes = [], takes

    def response_received(self, status, headers, body):
        self.events.append(("answered", status, body))
        return self.takes

    def head_received(self, status, headers, length, body):
        self.events.append(("begun", status, length))

    def body_received(self, body):
        self.events.append(("more", len(body)))

    def response_ended(self):
        self.events.append(("ended",))

    def request_failed(self, fault, detail):
        self.events.append(("failed", fault.name, detail))


class Stand:
    """A pool with everything around it."""

    def __init__(self, concurrency=2, queue=2, places=1):
        self.loop, self.watch = Loop(), Watch()
        self.dialer = Dialled(self.loop, places)
        self.pool = Pool(self.dialer, concurrency, queue, self.watch, self.loop)
        self.receivers = []

    async def send(self, data=b"question", takes=True, operator=""):
        self.loop.turn()
        receiver = ResponseReceiver(takes)
        self.receivers.append(receiver)
        flight = self.pool.send(
            lambda place: data + b" to %d" % place if self.dialer.places > 1 else data, receiver, operator
        )
        await asyncio.sleep(0)
        return flight

    @property
    def lines(self):
        return self.dialer.lines

    @property
    def counts(self):
        return tuple(self.pool.counts().values())

    def says(self, index, data):
        """The institution writes to a line; then the loop turns."""
        self.reads(index, data)
        self.loop.turn()

    def reads(self, index, data):
        """The loop reads from a line."""
        buffer = self.lines[index].get_buffer(-1)
        buffer[: len(data)] = data
        self.lines[index].buffer_updated(len(data))

    def hangs_up(self, index, error=None):
        self.lines[index].connection_lost(error)
        self.loop.turn()

    def events(self, index):
        return self.receivers[index].events

    def close(self):
        for each in self.dialer.sockets:
            each.close()
