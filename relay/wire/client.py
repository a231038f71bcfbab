"""The client side of an HTTP/1.1 connection: sends one request at a time and parses its response."""

import asyncio
from collections.abc import Callable
from typing import Final

from relay.wire.chunked import ChunkedBody
from relay.wire.closed import CLOSED
from relay.wire.head import HEAD_END, ProtocolError, ResponseHead, Violation, parse_response_head
from relay.wire.response_handler import ResponseFailure, ResponseHandler
from relay.wire.sockets import IsReadable, build_readable, limit_tls_read_ahead, report_unreadable

READ_BYTES: Final = 96 * 1024
"""Bytes read at once. With the server side's WRITE_HIGH this bounds the memory of one exchange.

PERF: of 64, 96 and 128 KiB this takes the least CPU; above 128 KiB each read is a memory mapping of its own.
"""

WHOLE_BYTES: Final = 64 * 1024
"""Responses up to this size are delivered whole, so that none of an incomplete one has been forwarded."""

BEGIN_BYTES: Final = 4 * 1024
"""Bytes of a large body that its head waits for. The handler judges the response by them: a server may send the head
alone."""

MAX_INTERIM_RESPONSES: Final = 10
"""Interim responses (1xx) before one response. A server that sends more is cut."""

TURN_CHUNKS: Final = 256
"""Chunks of one response that are parsed in one turn of the event loop. PERF: 0.2 ms; a read may hold 16,000."""

_MAX_HEAD_BYTES: Final = 16 * 1024
_MAX_HEADERS: Final = 100
_INTERIM: Final = range(100, 200)
_FINAL: Final = 200
_SWITCHING: Final = 101
_BODILESS: Final = frozenset({204, 304})

_buffer = memoryview(bytearray(READ_BYTES))
"""One buffer for all connections of the process: `buffer_updated` copies it before the next read."""


class ClientConnection(asyncio.BufferedProtocol):
    """One connection to a server. `uses` counts its requests; `reusable` tells whether it can carry another.

    `readable(0)` is true if the socket holds bytes, or the peer's end, that the loop has not read yet. `flaw` names in
    one word what is wrong with a malformed response; `error` is what ended the connection, if known.
    The owner of the connection keeps its notes in `instance`, `opened_at`, `idle_until` and `fresh_until`.
    """

    __slots__ = (
        "_backlog",
        "_chunks",
        "_gathered",
        "_handler",
        "_head",
        "_held",
        "_interim",
        "_missing",
        "_on_lost",
        "_parts",
        "_paused",
        "_response_begun",
        "_streaming",
        "_turn_scheduled",
        "error",
        "flaw",
        "fresh_until",
        "idle_until",
        "instance",
        "keep_alive",
        "opened_at",
        "readable",
        "reusable",
        "transport",
        "uses",
    )

    def __init__(self, on_lost: Callable[["ClientConnection"], None]) -> None:
        self._on_lost = on_lost
        self.transport: asyncio.Transport = CLOSED
        self._handler: ResponseHandler | None = None
        self.uses = 0
        self.instance = 0
        self.reusable = True
        self.idle_until = 0.0
        self.fresh_until = 0.0
        self.opened_at = 0.0
        self.keep_alive: bytes | None = None
        self._turn_scheduled = False
        self.flaw = ""
        self.error: Exception | None = None
        self.readable: IsReadable = report_unreadable
        self._reset()

    def _reset(self) -> None:
        self._head: ResponseHead | None = None
        self._held = b""
        self._parts: list[bytes] = []
        self._missing = 0
        self._gathered = 0
        self._interim = 0
        self._backlog = b""
        self._chunks: ChunkedBody | None = None
        self._paused = False
        self._streaming = False
        self._response_begun = False

    def may_carry(self, now: float) -> bool:
        """Returns whether a request may be sent: idle for not too long, and nothing unread unless just now in use."""
        return self.reusable and now < self.idle_until and (now < self.fresh_until or not self.readable(0))

    def send(self, request: bytes, handler: ResponseHandler) -> None:
        """Sends one whole request; `handler` receives the response."""
        self._handler = handler
        self.uses += 1
        self.transport.write(request)

    def pause(self) -> None:
        """Stops reading the response: its reader does not keep up."""
        self._paused = True
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        """Continues reading the response."""
        self._paused = False
        self._end_turn()

    def close(self) -> None:
        """Closes an idle connection gracefully."""
        self.reusable = False
        self.transport.close()

    def abort(self) -> None:
        """Discards the response and cuts the connection, which also frees the server's side."""
        self._handler = None
        self.reusable = False
        self.transport.abort()

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport, and limits what TLS reads ahead."""
        if not self.reusable:  # the attempt was given up meanwhile
            transport.abort()  # type: ignore[attr-defined]
            return
        self.transport = transport  # type: ignore[assignment]
        limit_tls_read_ahead(transport)
        self.readable = build_readable(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Reports a missing response to the handler. Leaves no reference cycle."""
        self.reusable = False
        self.error = exc
        self.transport = CLOSED
        self._drain()
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.request_failed(ResponseFailure.CUT if self._response_begun else ResponseFailure.CLOSED)
        self.error = None  # its traceback holds the transport
        self._on_lost(self)

    def eof_received(self) -> bool:
        """Completes a response whose end is the end of the connection; any other was cut."""
        self._drain()
        self.reusable = False
        head = self._head
        if self._handler is not None and head is not None and head.length is None and not head.chunked:
            self._complete(head)
        return False

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Returns the buffer to read into."""
        return _buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parses what was read. A full buffer ends this connection's turn, so that no server holds the loop."""
        data = _buffer[:nbytes].tobytes()
        if self._backlog:
            self._backlog += data
            return
        self._take(data)
        # Behind a response reading continues: bytes that TLS already holds must not meet the next request.
        if self._backlog or (nbytes == READ_BYTES and self._handler is not None):
            self._end_turn(full=True)

    def _take(self, data: bytes) -> None:
        handler = self._handler
        if handler is None:  # an unsolicited response must not be taken for the next one
            self.reusable = False
            self.transport.abort()
            return
        try:
            if not self._response_begun:
                if self._take_whole(handler, data):
                    return
                self._response_begun = True
                handler.first_byte_received()
            if self._head is None:
                self._take_head(data)
            else:
                self._take_body(self._head, data)
        except ProtocolError as error:
            self._reject(error.violation.value)

    def _end_turn(self, *, full: bool = False) -> None:
        """Continues reading; if `full` or if bytes wait already, lets the other connections run first."""
        if self.transport.is_closing():
            return
        if not (full or self._backlog or self._turn_scheduled):
            self.transport.resume_reading()
            return
        self.transport.pause_reading()
        if not (self._turn_scheduled or self._paused):
            self._turn_scheduled = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _take_turn(self) -> None:
        """Parses what waited for this turn, unless the reader of the response paused meanwhile."""
        self._turn_scheduled = False
        if self._paused:
            return
        data, self._backlog = self._backlog, b""
        if data:
            self._take(data)
        self._end_turn()

    def _drain(self) -> None:  # the peer has ended: parse the rest at once
        while self._backlog and self._handler is not None:
            data, self._backlog = self._backlog, b""
            self._take(data)

    def _reject(self, flaw: str) -> None:
        self.flaw = flaw
        handler, self._handler = self._handler, None
        self.reusable = False
        self._backlog = b""
        self.transport.abort()
        if handler is not None:
            handler.request_failed(ResponseFailure.MALFORMED)

    # the response

    def _take_whole(self, handler: ResponseHandler, data: bytes) -> bool:
        """Parses a response that came whole in its first segment, as nearly every response does. Returns False if not.

        PERF: no state is kept or reset; 4 us less than `_take_head` and `_take_body`, which have the same result.
        """
        end = data.find(HEAD_END) + 4
        if not 4 <= end <= _MAX_HEAD_BYTES or data[:9] != b"HTTP/1.1 ":  # noqa: PLR2004 - find() returned -1
            return False
        head = parse_response_head(data[:end], _MAX_HEADERS)
        status = head.status
        if head.length != len(data) - end or status < _FINAL or status in _BODILESS:
            return False
        if head.close:
            self.reusable = False
        self._handler = None
        self.keep_alive = head.headers.get(b"keep-alive")
        handler.response_received(status, head.headers, data[end:])
        return True

    def _take_head(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
            self._held = b""
        while True:
            end = data.find(HEAD_END) + 4
            if end < 4:  # noqa: PLR2004 - find() returned -1
                has_bare_lf = data.count(b"\n") != data.count(b"\r\n")
                if has_bare_lf or len(data) > _MAX_HEAD_BYTES or not data.startswith(b"HTTP/1."[: len(data)]):
                    self._reject(Violation.HEAD_MALFORMED.value)
                    return
                self._held = data
                return
            if end > _MAX_HEAD_BYTES:
                raise ProtocolError(Violation.HEAD_TOO_LARGE)
            head = parse_response_head(data if end == len(data) else data[:end], _MAX_HEADERS)
            data = data[end:]
            if head.status not in _INTERIM:
                break
            self._interim += 1
            if head.status == _SWITCHING or self._interim > MAX_INTERIM_RESPONSES:
                self._reject("status" if head.status == _SWITCHING else "interim_answers")
                return
        self._begin(head, data)

    def _begin(self, head: ResponseHead, data: bytes) -> None:
        self._head = head
        if head.close:
            self.reusable = False
        if head.status in _BODILESS:
            if data or head.length or head.chunked:
                self._reject("length")
                return
            self._complete(head)
            return
        if head.chunked:
            self._chunks = ChunkedBody(is_response=True)
        self._missing = head.length or 0
        self._take_body(head, data)

    def _take_body(self, head: ResponseHead, data: bytes) -> None:
        done = False
        if self._chunks is not None:
            data, self._backlog = self._chunks.feed(data, TURN_CHUNKS)
            done = self._chunks.done
            if done and self._backlog:
                self._reject("length")
                return
        elif head.length is not None:
            if len(data) > self._missing:
                self._reject("length")
                return
            self._missing -= len(data)
            done = not self._missing
        self._gathered += len(data)
        if self._streaming:
            if data and self._handler is not None:
                self._handler.body_received(data)
        else:
            self._parts.append(data)
            self._stream_if_large(head, done=done)
        if done:
            self._complete(head)

    def _stream_if_large(self, head: ResponseHead, *, done: bool) -> None:
        size = self._gathered if head.length is None else head.length
        if done or size <= WHOLE_BYTES or self._gathered < BEGIN_BYTES or self._handler is None:
            return
        self._streaming = True
        body = b"".join(self._parts)
        self._parts.clear()
        self._handler.head_received(head, body)

    def _complete(self, head: ResponseHead) -> None:
        handler, self._handler = self._handler, None
        streamed, parts = self._streaming, self._parts
        self.keep_alive = head.headers.get(b"keep-alive")
        self._reset()
        if handler is not None and streamed:
            if not self.transport.is_closing():
                self.transport.resume_reading()  # the reader may have paused it; the next response must be read
            handler.response_ended()
        elif handler is not None:
            handler.response_received(head.status, head.headers, parts[0] if len(parts) == 1 else b"".join(parts))
