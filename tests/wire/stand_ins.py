"""A server connection with fakes of everything around it."""

from relay.wire.deadline_watch import DeadlineWatch
from relay.wire.reader import ServerLimits
from relay.wire.server import ServerConnection

LIMITS = ServerLimits(head_bytes=1024, headers=20, body_bytes=1024, pipelined=4, head_s=5.0, body_s=10.0, idle_s=75.0)


def get(name="a", *fields):
    return "\r\n".join([f"GET /{name} HTTP/1.1", "Host: h", *fields, "", ""]).encode()


def post(name="p", body=b"{}", *fields):
    head = [f"POST /{name} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(head).encode() + body


class Clock:
    """The part of a loop that a connection uses."""

    def __init__(self):
        self.now = 100.0
        self.soon = []

    def time(self):
        return self.now

    def call_soon(self, callback):
        self.soon.append(callback)

    def run_turn(self):
        """Run the callbacks of the next turn, but none that they schedule."""
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class Transport:
    """Keeps the calls of a connection."""

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
    """Answers at once if `quick`, else the test answers. Refuses malformed requests at once."""

    def __init__(self, *, quick=False):
        self.quick = quick
        self.requests = []
        self.refused = []
        self.made = self.lost_count = 0
        self.error = None

    def connection_made(self, connection):
        self.made += 1

    def connection_lost(self, connection, error):
        self.lost_count += 1
        self.error = error

    def handle(self, connection, head, body):
        self.requests.append((head.path[1:].decode(), body))
        if self.quick:
            connection.send_response(b"<" + head.path[1:] + b">")

    def protocol_error_received(self, connection, error):
        assert connection.will_close
        self.refused.append(error.violation)
        connection.send_response(b"<refused>")


class FakeSource:
    def __init__(self):
        self.calls = []

    def pause(self):
        self.calls.append("pause")

    def resume(self):
        self.calls.append("resume")

    def peer_disconnected(self):
        self.calls.append("peer_disconnected")


class Setup:
    """A connection with fakes of everything around it."""

    def __init__(self, *, quick=False, tls=False, limits=LIMITS):
        self.app, self.clock, self.watch, self.transport = (
            App(quick=quick),
            Clock(),
            DeadlineWatch(),
            Transport(tls=tls),
        )
        self.connection = ServerConnection(self.app, limits, self.watch, self.clock)
        self.connection.connection_made(self.transport)
        self.transport.protocol = self.connection  # as real ones do

    def receive(self, *pieces):
        """Receive each piece and run the loop until no callback is left."""
        for piece in pieces:
            self.connection.data_received(piece)
            self.run_turns()
        return self

    def run_turns(self):
        while self.clock.soon:
            self.clock.run_turn()
        return self

    def wait(self, seconds):
        self.clock.now += seconds
        self.watch.tick(self.clock.now)
        return self

    @property
    def seconds_left(self):
        """Seconds until the deadline."""
        return self.connection.deadline - self.clock.now

    @property
    def names(self):
        return [name for name, _ in self.app.requests]
