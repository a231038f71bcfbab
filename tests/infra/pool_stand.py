"""A pool over fake transports, with a clock that only the test moves."""

import asyncio
import socket

from relay.infra.upstream.dialing import NotConnected
from relay.infra.upstream.pool import ConnectionPool
from relay.policy.settings.scalars import ProviderTimeouts
from relay.wire.client import ClientConnection
from relay.wire.deadline_watch import DeadlineWatch

NAMED = b"x-api-tran-id: ZOPA000001M00000000000001\r\n"
OK = b"HTTP/1.1 200 OK\r\n" + NAMED + b"Content-Length: 2\r\n%b\r\n{}"
UNNAMED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
LARGE = b"HTTP/1.1 200 OK\r\n" + NAMED + b"Content-Length: 100000\r\n\r\n"
UNNAMED_LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


class Transport:
    """A transport that keeps written bytes and how it was closed."""

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
    """A loop with a clock that only the test moves, and tasks of the real loop."""

    def __init__(self):
        self.now, self.ready = 1000.0, []

    def time(self):
        return self.now

    def call_soon(self, callback, *arguments):
        self.ready.append((callback, arguments))

    def turn(self):
        """Run the next turn of the loop."""
        ready, self.ready = self.ready, []
        for callback, arguments in ready:
            callback(*arguments)

    def create_task(self, work):
        return asyncio.get_running_loop().create_task(work)


class FakeDialer:
    """A dialer whose connections have fake transports."""

    timeouts = ProviderTimeouts(connect_s=1, queue_s=2, first_byte_s=2, total_s=5, idle_s=4)

    def __init__(self, loop, instances=1):
        self.loop, self.connections, self.error, self.instance_count = loop, [], "", instances
        self.sockets, self.dead, self.dialed = [], {}, []

    def describe(self, index):
        return f"host:{index}"

    def idle_limit(self, connection):
        return float(connection.keep_alive.partition(b"=")[2])

    async def dial(self, on_lost, index):
        self.dialed.append(index)
        if index in self.dead:
            await self.dead[index].wait()
            raise NotConnected("time_out")
        if self.error:
            raise NotConnected(self.error)
        connection = ClientConnection(on_lost)
        connection.connection_made(Transport())
        self.sockets += (connection.transport.socket, connection.transport.peer)
        connection.opened_at, connection.instance = self.loop.now, index
        self.connections.append(connection)
        return connection


class ResponseReceiver:
    def __init__(self, accepts=True):
        self.events, self.accepts = [], accepts

    def response_received(self, status, headers, body):
        self.events.append(("response", status, body))
        return self.accepts

    def head_received(self, status, headers, length, body):
        self.events.append(("head", status, length))

    def body_received(self, body):
        self.events.append(("body", len(body)))

    def response_ended(self):
        self.events.append(("ended",))

    def request_failed(self, fault, detail):
        self.events.append(("failed", fault.name, detail))


class Stand:
    """A pool with fakes of everything around it."""

    def __init__(self, concurrency=2, queue=2, instances=1, **options):
        self.loop, self.watch = Loop(), DeadlineWatch()
        self.dialer = FakeDialer(self.loop, instances)
        self.pool = ConnectionPool(self.dialer, concurrency, queue, self.watch, self.loop, **options)
        self.receivers = []

    async def send(self, data=b"question", accepts=True, operator="", *, is_scheduled=False):
        self.loop.turn()
        receiver = ResponseReceiver(accepts)
        self.receivers.append(receiver)
        request = self.pool.send(
            lambda instance: data + b" to %d" % instance if self.dialer.instance_count > 1 else data,
            receiver,
            operator,
            is_scheduled=is_scheduled,
        )
        await asyncio.sleep(0)
        return request

    def rest(self):
        """Frees ended requests and lets time pass, so that connections are checked before their next use."""
        self.loop.turn()
        self.loop.now += 0.1

    @property
    def connections(self):
        return self.dialer.connections

    @property
    def counts(self):
        return tuple(self.pool.counts().values())

    def receive(self, index, data):
        """Deliver bytes to a connection, then run a turn of the loop."""
        self.receive_only(index, data)
        self.loop.turn()

    def receive_only(self, index, data):
        """Deliver bytes to a connection."""
        buffer = self.connections[index].get_buffer(-1)
        buffer[: len(data)] = data
        self.connections[index].buffer_updated(len(data))

    def disconnect(self, index, error=None):
        self.connections[index].connection_lost(error)
        self.loop.turn()

    def events(self, index):
        return self.receivers[index].events

    def close(self):
        for each in self.dialer.sockets:
            each.close()
