"""A server's connection with everything around it that is no socket and no clock."""

from relay.wire.reader import ServerLimits
from relay.wire.server import ServerConnection
from relay.wire.watch import Watch

LIMITS = ServerLimits(head_bytes=1024, headers=20, body_bytes=1024, pipelined=4, head_s=5.0, body_s=10.0, idle_s=75.0)


def get(name="a", *fields):
    return "\r\n".join([f"GET /{name} HTTP/1.1", "Host: h", *fields, "", ""]).encode()


def post(name="p", body=b"{}", *fields):
    head = [f"POST /{name} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(head).encode() + body


class Clock:
    """The part of a loop a connection asks."""

    def __init__(self):
        self.now = 100.0
        self.soon = []

    def time(self):
        return self.now

    def call_soon(self, callback):
        self.soon.append(callback)

    def run_turn(self):
        """Run what waits for the next turn, and nothing that it schedules."""
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class Transport:
    """Notes what a connection does to it."""

    def __init__(self, *, tls=False):
        self.tls = tls
        self.written = b""
        self.events = []
        self.reading = True

    def write(self, data):
        self.written += data

    def set_write_buffer_limits(self, high):
        self.high = high

    def get_extra_info(self, _name):
        return None

    def is_closing(self):
        return "close" in self.events or "abort" in self.events

    def can_write_eof(self):
        return not self.tls

    def pause_reading(self):
        assert not self.is_closing()
        self.reading = False

    def resume_reading(self):
        assert not self.is_closing()
        self.reading = True

    def close(self):
        self.events.append("close")

    def abort(self):
        self.events.append("abort")

    def write_eof(self):
        self.events.append("eof")


class App:
    """Answers at once when `quick`, else when the test says so; a refusal always at once."""

    def __init__(self, *, quick=False):
        self.quick = quick
        self.asked = []
        self.refused = []
        self.came = self.went = 0
        self.error = None

    def connection_made(self, connection):
        self.came += 1

    def connection_lost(self, connection, error):
        self.went += 1
        self.error = error

    def handle(self, connection, head, body):
        self.asked.append((head.path[1:].decode(), body))
        if self.quick:
            connection.send_response(b"<" + head.path[1:] + b">")

    def protocol_error_received(self, connection, error):
        assert connection.will_close
        self.refused.append(error.wrong)
        connection.send_response(b"<refused>")


class Source:
    def __init__(self):
        self.told = []

    def pause(self):
        self.told.append("pause")

    def resume(self):
        self.told.append("resume")

    def peer_disconnected(self):
        self.told.append("gone")


class Line:
    """A connection with everything around it."""

    def __init__(self, *, quick=False, tls=False, limits=LIMITS):
        self.app, self.clock, self.watch, self.transport = App(quick=quick), Clock(), Watch(), Transport(tls=tls)
        self.connection = ServerConnection(self.app, limits, self.watch, self.clock)
        self.connection.connection_made(self.transport)
        self.transport.protocol = self.connection  # as real ones do

    def hear(self, *pieces):
        """Receive each piece and let the loop turn until nothing waits for a turn."""
        for piece in pieces:
            self.connection.data_received(piece)
            self.turn()
        return self

    def turn(self):
        while self.clock.soon:
            self.clock.run_turn()
        return self

    def wait(self, seconds):
        self.clock.now += seconds
        self.watch.tick(self.clock.now)
        return self

    @property
    def left(self):
        """Seconds until something is overdue."""
        return self.connection.deadline - self.clock.now

    @property
    def names(self):
        return [name for name, _ in self.app.asked]
