"""The server side of an HTTP/1.1 connection: takes requests and sends responses, one at a time and in order."""

import asyncio
import math
from typing import Any, Final, Protocol

from relay.wire.closed import CLOSED
from relay.wire.deadline_watch import DeadlineWatch
from relay.wire.head import ProtocolError, RequestHead
from relay.wire.reader import RequestReader, ServerLimits, Stage
from relay.wire.response_source import ResponseSource
from relay.wire.sockets import build_readable, limit_tls_read_ahead

WRITE_HIGH: Final = 32 * 1024
"""Bytes buffered for a slow reader before the source of its response is paused."""

TURN_CALLS: Final = 2
"""Calls of one connection that the app gets in one turn of the event loop; the rest waits for the next turn."""

TURN_BYTES: Final = 4096
"""Bytes of one connection that are parsed in one turn of the event loop: two calls as operators send them.

PERF: uvloop delivers up to 256 KiB at once. Parsed in one piece, a flood of pipelined calls stopped the loop for 2.9 s.
"""

_LINGER_S: Final = 1.0
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class App(Protocol):
    """Answers requests. It gets each request once and answers it once, at once or later."""

    def connection_made(self, connection: "ServerConnection") -> None:
        """A connection is established and its handshake complete."""

    def connection_lost(self, connection: "ServerConnection", error: Exception | None) -> None:
        """The connection is lost; `error` is the cause, None for a regular end."""

    def handle(self, connection: "ServerConnection", head: RequestHead, body: bytes) -> None:
        """Answers a whole request with `send_response`, or with `write` and `finish`."""

    def protocol_error_received(self, connection: "ServerConnection", error: ProtocolError) -> None:
        """Answers a malformed request. The connection closes after the response."""


class ServerConnection(asyncio.Protocol):
    """One connection of a caller.

    The app sends its response with `send_response` (whole) or `write` and `finish` (streamed); `abort` cuts a streamed
    response that cannot be completed. `will_close` is set if the current response is the last. `source` is notified of
    a slow or lost reader. `info` holds the app's own data. `has_served` is set once a request was carried.
    """

    __slots__ = (
        "_app",
        "_backlog",
        "_calls",
        "_ignores_input",
        "_is_answering",
        "_is_handing_over",
        "_limits",
        "_lingers",
        "_loop",
        "_one_call_only",
        "_peer_floods",
        "_peer_is_slow",
        "_reader",
        "_ready",
        "_stage",
        "_turn_scheduled",
        "_watch",
        "announced_address",
        "deadline",
        "has_served",
        "info",
        "source",
        "transport",
        "will_close",
        "write",
    )

    transport: asyncio.Transport

    def __init__(self, app: App, limits: ServerLimits, watch: DeadlineWatch, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._limits = limits
        self._watch = watch
        self._loop = loop
        self._stage = Stage.NOTHING
        self._ready: list[tuple[RequestHead, bytes] | ProtocolError] = []  # an empty deque has 700 bytes
        self._is_answering = self._is_handing_over = self._ignores_input = self._one_call_only = self._lingers = False
        self._peer_floods = self._peer_is_slow = self._turn_scheduled = self.will_close = self.has_served = False
        self._backlog = b""
        self._calls = 0
        self.deadline = math.inf
        self.source: ResponseSource | None = None
        self.info: Any = None
        self.announced_address = ""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport and notifies the app."""
        self.transport = transport  # type: ignore[assignment]
        self.transport.set_write_buffer_limits(high=WRITE_HIGH)
        limit_tls_read_ahead(transport)
        self.write = self.transport.write
        self._reader = RequestReader(self._limits, self._request_read)
        self.deadline = self._loop.time() + self._limits.head_s
        self._watch.add(self)
        self._app.connection_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Frees everything and notifies the source of the response. Leaves no reference cycle."""
        self._watch.discard(self)
        self._ignores_input = True
        self._ready.clear()
        self._backlog = b""
        source, self.source = self.source, None
        if source is not None:
            source.peer_disconnected()
        self._app.connection_lost(self, exc)
        self._reader.close()
        self.transport, self.write = CLOSED, CLOSED.write

    def pause_writing(self) -> None:
        """Pauses the source: the peer reads slowly."""
        self._peer_is_slow = True
        if self.source is not None:
            self.source.pause()

    def resume_writing(self) -> None:
        """Resumes the source, and hands over the requests that wait behind its response."""
        self._peer_is_slow = False
        if self.source is not None:
            self.source.resume()
        self._hand_over_next()

    def data_received(self, data: bytes) -> None:
        """Parses bytes. Whole requests go to the app; parts wait for the rest until their deadline.

        Bytes beyond the budget of one turn of the loop wait for the next turn, and reading pauses.
        """
        if self._ignores_input:
            return
        if self._backlog or self._turn_scheduled:
            self._backlog += data
            self.transport.pause_reading()  # a turn between two responses has not paused it
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
        except ProtocolError as error:
            self._refuse(error)
            return
        stage = self._reader.stage
        if stage is not self._stage and not self._ignores_input:
            self._stage = stage
            if stage:
                self._set_read_deadline(stage)

    def _schedule_turn(self) -> None:
        """Lets the other connections run before this one continues."""
        if not self._turn_scheduled:
            self._turn_scheduled = True
            self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        """Processes what waited for this turn, requests before bytes; continues reading when neither is left."""
        self._turn_scheduled = False
        self._calls = 0
        if self._ready:
            self._hand_over_next()
            return
        if self._ignores_input:
            return
        self._reader.stopped = False
        data, self._backlog = self._backlog[:TURN_BYTES], self._backlog[TURN_BYTES:]
        self._feed(data)
        self._end_turn()

    def _end_turn(self) -> None:
        """Continues reading if nothing waits; else schedules a turn, or lets the end of the response schedule it."""
        if self._ignores_input or self.transport.is_closing():
            return
        if not (self._backlog or self._reader.stopped):
            self.transport.resume_reading()
            return
        self.transport.pause_reading()
        if not self._ready:
            self._schedule_turn()

    def handle_timeout(self, now: float) -> None:
        """Closes an idle or lingering connection, cuts one that does not read, refuses an incomplete request."""
        if self.transport.is_closing() or self._peer_floods or (self._peer_is_slow and not self._is_answering):
            self.deadline = math.inf
            self.transport.abort()
        elif self._one_call_only or self._ignores_input or not self._reader.stage:
            self._close()
            if not (self.has_served or self._lingers):  # it never called: it is cut at the next tick
                self.deadline = now
        else:
            self._refuse(self._reader.timeout_error())

    def _set_read_deadline(self, stage: Stage) -> None:
        if not self._one_call_only:
            self.deadline = self._loop.time() + (self._limits.body_s if stage is Stage.BODY else self._limits.head_s)
        self._send_continue()

    def _send_continue(self) -> None:
        """Sends 100 Continue if the body waits for it (RFC 9110 10.1.1), but never in the middle of a response."""
        if self._reader.asks_to_continue and not (self._is_answering or self._ready):
            self._reader.asks_to_continue = False
            self.write(_CONTINUE)

    # requests to the app, one at a time

    def _request_read(self, head: RequestHead, body: bytes) -> None:
        if self._ignores_input:  # the response before was the last
            return
        self._stage = Stage.NOTHING
        if self._is_answering or self._ready or self._peer_is_slow:
            self._queue((head, body))
            if len(self._ready) >= self._limits.pipelined:
                self._reader.stopped = True
            return
        self._hand_over(head, body)
        if self._calls >= TURN_CALLS:
            self._reader.stopped = True

    def _queue(self, waiting: tuple[RequestHead, bytes] | ProtocolError) -> None:
        """Queues a whole request or a refusal. The deadline of its parts ends; the current call has none."""
        self._ready.append(waiting)
        self.deadline = math.inf if self._is_answering else self._loop.time() + self._limits.idle_s

    def _hand_over(self, head: RequestHead, body: bytes) -> None:
        self._is_answering = self.has_served = True
        self._calls += 1
        self.deadline = math.inf
        if head.close:
            self.will_close = True
        self._app.handle(self, head, body)

    def _refuse(self, error: ProtocolError) -> None:
        """Queues the refusal of a malformed request. Nothing more is read; earlier responses go out first."""
        self._ignores_input = True
        self._peer_floods = bool(self._backlog)
        self._backlog = b""
        self._lingers = True
        self._queue(error)
        self._hand_over_next()

    def _hand_over_next(self) -> None:
        """Hands over the requests that wait behind the finished response."""
        if self._is_handing_over:
            return
        self._is_handing_over = True
        while self._ready and not (self._is_answering or self._peer_is_slow):
            if self._calls >= TURN_CALLS:
                self._schedule_turn()
                break
            waiting = self._ready.pop(0)
            if isinstance(waiting, ProtocolError):
                self._is_answering = self.will_close = True
                self._app.protocol_error_received(self, waiting)
            else:
                self._hand_over(*waiting)
        self._is_handing_over = False
        if not (self._ready or self._ignores_input) and (self._backlog or self._reader.stopped):
            self._schedule_turn()

    # responses

    def send_response(self, data: bytes) -> None:
        """Sends a whole response. PERF: `finish` is inlined for a connection that stays open with nothing waiting."""
        self.write(data)
        if self.will_close or self._ready or self._stage or self._reader.stopped:
            self.finish()
        else:
            self.source = None
            self._is_answering = False
            self.deadline = self._loop.time() + self._limits.idle_s

    def finish(self) -> None:
        """Ends the current response: closes if it was the last, else continues with the next request."""
        self.source = None
        self._is_answering = False
        if self.will_close:
            self._close_or_linger()
            return
        self.deadline = self._loop.time() + (self._limits.body_s if self._stage else self._limits.idle_s)
        if self._ready or self._reader.stopped:
            self._hand_over_next()
        elif self._reader.asks_to_continue:
            self._send_continue()

    def abort(self) -> None:
        """Cuts the connection: the current response cannot be completed."""
        self.source = None
        self.transport.abort()

    def close_when_idle(self) -> None:
        """Closes now if no call is open, partly received or not yet read, else after the next response.

        A connection that has carried no request stays open until its deadline: the first may be on its way.
        """
        self.will_close = True
        has_input = self._reader.stage or self._backlog or self._reader.stopped or build_readable(self.transport)(0)
        if self.has_served and not (self._is_answering or self._ready or has_input):
            self._close()

    def limit_to_one_call(self, wait_s: float) -> None:
        """Closes after the next response, or after `wait_s` if no whole call has come by then."""
        self.will_close = self._one_call_only = True
        self.deadline = self._loop.time() + wait_s

    def close_after_response(self) -> None:
        """Makes the current response the last. Bytes that the peer has sent behind its request are dropped."""
        self.will_close = self._lingers = self._peer_floods = True

    def _close_or_linger(self) -> None:
        """Closes; but lingers if the peer may still be sending: a reset would destroy the response (RFC 9112 9.6).

        TLS lingers by itself: it closes once the peer has agreed to close, and decrypts what comes until then.
        A peer that floods is not read any more; it is cut when it has had time to read its response.
        """
        self._ready.clear()
        self._backlog = b""
        if self._peer_floods:
            self.transport.pause_reading()
        if self.transport.can_write_eof() and self._lingers:
            self.transport.write_eof()
        elif not self._peer_floods:
            self._close()
        self._ignores_input = True
        if self._lingers:
            self.deadline = self._loop.time() + _LINGER_S

    def _close(self) -> None:
        """Closes when all is written. `handle_timeout` cuts a peer that does not read it in time."""
        self._ignores_input = True
        self.deadline = self._loop.time() + self._limits.idle_s
        self.transport.close()
