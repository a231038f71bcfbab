"""The server's side of one HTTP/1.1 connection: requests in, answers out, one at a time and in order."""

import asyncio
import math
from collections import deque
from typing import Any, Final, Protocol

from relay.wire.closed import CLOSED
from relay.wire.head import Malformed, RequestHead
from relay.wire.reader import RequestReader, ServerLimits, Stage
from relay.wire.sockets import limit_tls_read_ahead
from relay.wire.source import ResponseSource
from relay.wire.watch import Watch

WRITE_HIGH: Final = 32 * 1024
"""Bytes waiting for a slow reader before its answer's source is told to pause."""

TURN_CALLS: Final = 2
"""Calls of one connection that are handed over in one turn of the event loop; the rest waits for the next turn."""

TURN_BYTES: Final = 4096
"""Bytes of one connection that are parsed in one turn of the event loop: two calls as operators send them.

PERF: uvloop delivers up to 256 KiB at once. Parsed in one piece, a flood of pipelined calls stopped the loop for 2.9 s.
"""

_LINGER_S: Final = 1.0
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class App(Protocol):
    """Who answers. Each request is handed over once and answered once, perhaps later."""

    def connection_made(self, connection: "ServerConnection") -> None:
        """A connection stands, its handshake done."""

    def connection_lost(self, connection: "ServerConnection", error: Exception | None) -> None:
        """The connection is gone; `error` is what broke it, if anything did."""

    def handle(self, connection: "ServerConnection", head: RequestHead, body: bytes) -> None:
        """Answer a whole request with `answer`, or `begin`, `more` and `finish`."""

    def protocol_error_received(self, connection: "ServerConnection", error: Malformed) -> None:
        """Answer what is no request; the connection closes after it."""


class ServerConnection(asyncio.Protocol):
    """One connection of a caller.

    The app writes its answer through `answer` (whole) or `write` and `finish` (streamed); `abort` cuts a streamed
    answer that cannot be completed. `closing` tells that the answer in hand is the last. `source` is who to tell about
    a slow or vanished reader. `card` is the app's own note on this connection, `used` whether it carried a request.
    """

    __slots__ = (
        "_app",
        "_backlog",
        "_busy",
        "_calls",
        "_deaf",
        "_final",
        "_floods",
        "_limits",
        "_linger",
        "_loop",
        "_reader",
        "_ready",
        "_serving",
        "_slow",
        "_stage",
        "_turn_scheduled",
        "_watch",
        "card",
        "deadline",
        "seen_from",
        "source",
        "transport",
        "used",
        "will_close",
        "write",
    )

    transport: asyncio.Transport

    def __init__(self, app: App, limits: ServerLimits, watch: Watch, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._limits = limits
        self._watch = watch
        self._loop = loop
        self._stage = Stage.NOTHING
        self._ready: deque[tuple[RequestHead, bytes] | Malformed] = deque()
        self._busy = self._serving = self._deaf = self._final = self._linger = False
        self._floods = self._slow = self._turn_scheduled = self.will_close = self.used = False
        self._backlog = b""
        self._calls = 0
        self.deadline = math.inf
        self.source: ResponseSource | None = None
        self.card: Any = None
        self.seen_from = ""

    # what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport and let the app know."""
        self.transport = transport  # type: ignore[assignment]
        self.transport.set_write_buffer_limits(high=WRITE_HIGH)
        limit_tls_read_ahead(transport)
        self.write = self.transport.write
        self._reader = RequestReader(self._limits, self._arrived)
        self.deadline = self._loop.time() + self._limits.head_s
        self._watch.add(self)
        self._app.connection_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Free everything at once; the answer's source is told. No reference cycle stays behind."""
        self._watch.discard(self)
        self._deaf = True
        self._ready.clear()
        self._backlog = b""
        source, self.source = self.source, None
        if source is not None:
            source.peer_disconnected()
        self._app.connection_lost(self, exc)
        self._reader.close()
        self.transport, self.write = CLOSED, CLOSED.write

    def pause_writing(self) -> None:
        """Pass the reader's slowness on."""
        self._slow = True
        if self.source is not None:
            self.source.pause()

    def resume_writing(self) -> None:
        """Pass the reader's recovery on, and go on to what waits behind the answer it was slow to read."""
        self._slow = False
        if self.source is not None:
            self.source.resume()
        self._next()

    def data_received(self, data: bytes) -> None:
        """Take bytes: whole requests go to the app, parts wait for their rest until their deadline.

        What exceeds the budget of one turn of the loop waits for the next turn, and reading pauses.
        """
        if self._deaf:
            return
        if self._backlog or self._turn_scheduled:
            self._backlog += data
            self.transport.pause_reading()  # a turn between two answers has not
            return
        self._calls = 0
        if len(data) > TURN_BYTES:
            data, self._backlog = data[:TURN_BYTES], data[TURN_BYTES:]
        self._feed(data)
        if self._backlog or self._reader.stopped:
            self._end_turn()

    def _feed(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
        except Malformed as error:
            self._refuse(error)
            return
        stage = self._reader.stage
        if stage is not self._stage and not self._deaf:
            self._stage = stage
            if stage:
                self._await_rest(stage)

    def _schedule_turn(self) -> None:
        """Let the other connections have the loop before this one goes on."""
        if not self._turn_scheduled:
            self._turn_scheduled = True
            self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        """Go on with what waited for this turn: requests first, then bytes; read on when neither is left."""
        self._turn_scheduled = False
        self._calls = 0
        if self._ready:
            self._next()
            return
        if self._deaf:
            return
        self._reader.stopped = False
        data, self._backlog = self._backlog[:TURN_BYTES], self._backlog[TURN_BYTES:]
        self._feed(data)
        self._end_turn()

    def _end_turn(self) -> None:
        """Read on when nothing waits for a further turn; else wait for it, and behind an answer for its end."""
        if self._deaf or self.transport.is_closing():
            return
        if not (self._backlog or self._reader.stopped):
            self.transport.resume_reading()
            return
        self.transport.pause_reading()
        if not self._ready:
            self._schedule_turn()

    def overdue(self, now: float) -> None:
        """Close what is idle or lingering, cut who takes no answer; refuse what began and did not end."""
        if self.transport.is_closing() or self._floods or (self._slow and not self._busy):
            self.deadline = math.inf
            self.transport.abort()
        elif self._final or self._deaf or not self._reader.stage:
            self._close()
            if not (self.used or self._linger):  # it never called: cut at the next tick, closed by its peer or not
                self.deadline = now
        else:
            self._refuse(self._reader.given_up())

    def _await_rest(self, stage: Stage) -> None:
        if not self._final:
            self.deadline = self._loop.time() + (self._limits.body_s if stage is Stage.BODY else self._limits.head_s)
        self._continue()

    def _continue(self) -> None:
        """Ask for the body that waits for it (RFC 9110 10.1.1); never into the midst of an answer."""
        if self._reader.asks_to_continue and not (self._busy or self._ready):
            self._reader.asks_to_continue = False
            self.write(_CONTINUE)

    # requests to the app, one at a time

    def _arrived(self, head: RequestHead, body: bytes) -> None:
        if self._deaf:  # the answer before was the last
            return
        self._stage = Stage.NOTHING
        if self._busy or self._ready or self._slow:
            self._keep((head, body))
            if len(self._ready) >= self._limits.pipelined:
                self._reader.stopped = True
            return
        self._hand_over(head, body)
        if self._calls >= TURN_CALLS:
            self._reader.stopped = True

    def _keep(self, waiting: tuple[RequestHead, bytes] | Malformed) -> None:
        """Let it wait. What has all come is no longer overdue, whatever its parts were; the answer in hand is not."""
        self._ready.append(waiting)
        self.deadline = math.inf if self._busy else self._loop.time() + self._limits.idle_s

    def _hand_over(self, head: RequestHead, body: bytes) -> None:
        self._busy = self.used = True
        self._calls += 1
        self.deadline = math.inf
        if head.close:
            self.will_close = True
        self._app.handle(self, head, body)

    def _refuse(self, error: Malformed) -> None:
        """After what is no request nothing more is read; answers before it go out first."""
        self._deaf = True
        self._floods = bool(self._backlog)
        self._backlog = b""
        self._linger = True
        self._keep(error)
        self._next()

    def _next(self) -> None:
        """Hand over what waits behind the answer just finished."""
        if self._serving:
            return
        self._serving = True
        while self._ready and not (self._busy or self._slow):
            if self._calls >= TURN_CALLS:
                self._schedule_turn()
                break
            waiting = self._ready.popleft()
            if isinstance(waiting, Malformed):
                self._busy = self.will_close = True
                self._app.protocol_error_received(self, waiting)
            else:
                self._hand_over(*waiting)
        self._serving = False
        if not (self._ready or self._deaf) and (self._backlog or self._reader.stopped):
            self._schedule_turn()

    # answers out

    def send_response(self, data: bytes) -> None:
        """Write a whole answer. PERF: `finish` written out for the connection that stays and has nothing waiting."""
        self.write(data)
        if self.will_close or self._ready or self._stage or self._reader.stopped:
            self.finish()
        else:
            self.source = None
            self._busy = False
            self.deadline = self._loop.time() + self._limits.idle_s

    def finish(self) -> None:
        """End the answer in hand: close when it was the last, else go on to the next request."""
        self.source = None
        self._busy = False
        if self.will_close:
            self._leave()
            return
        self.deadline = self._loop.time() + (self._limits.body_s if self._stage else self._limits.idle_s)
        if self._ready or self._reader.stopped:
            self._next()
        elif self._reader.asks_to_continue:
            self._continue()

    def abort(self) -> None:
        """Cut the connection: the answer in hand cannot be completed."""
        self.source = None
        self.transport.abort()

    def close_when_idle(self) -> None:
        """Close now when nothing is in hand or on its way, else after the next answer.

        A first request may be on its way over a connection that never carried one; it has its time to come.
        """
        self.will_close = True
        if self.used and not (self._busy or self._ready or self._reader.stage):
            self._close()

    def limit_to_one_call(self, wait_s: float) -> None:
        """Close after the next answer, and without one when no whole call has come within `wait_s`."""
        self.will_close = self._final = True
        self.deadline = self._loop.time() + wait_s

    def close_after_response(self) -> None:
        """Make the answer in hand the last one. What the peer has sent behind its request is dropped."""
        self.will_close = self._linger = self._floods = True

    def _leave(self) -> None:
        """Close; but linger when the peer may still be sending: a reset would destroy the answer (RFC 9112 9.6).

        TLS lingers by itself: it closes once the peer has agreed to close, and decrypts all that comes until then.
        From a peer that floods nothing more is read; it is cut when it has had time to read its answer.
        """
        self._ready.clear()
        self._backlog = b""
        if self._floods:
            self.transport.pause_reading()
        if self.transport.can_write_eof() and self._linger:
            self.transport.write_eof()
        elif not self._floods:
            self._close()
        self._deaf = True
        if self._linger:
            self.deadline = self._loop.time() + _LINGER_S

    def _close(self) -> None:
        """Close when all is written; who does not read it in time is cut by `overdue`."""
        self._deaf = True
        self.deadline = self._loop.time() + self._limits.idle_s
        self.transport.close()
