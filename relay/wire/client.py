"""The client's side of one HTTP/1.1 connection: one request out, one answer in, again and again."""

import asyncio
from collections.abc import Callable
from typing import Final

from relay.wire.asker import Asker, Broken
from relay.wire.chunked import ChunkedBody
from relay.wire.closed import CLOSED
from relay.wire.head import HEAD_END, AnswerHead, Malformed, Wrong, answer_head, answer_parser
from relay.wire.sockets import Readable, bound_read_ahead, never_readable, readable_of

READ_BYTES: Final = 96 * 1024
"""Bytes read at once. With WRITE_HIGH of the server's side this bounds what one exchange can hold.

PERF: of 64, 96 and 128 KiB this takes the least CPU; above 128 KiB each read is a mapping of its own.
"""

WHOLE_BYTES: Final = 64 * 1024
"""Answers up to here are handed over whole, so that one that breaks off in the middle was never begun."""

INTERIM_MOST: Final = 10
"""Interim answers (1xx) before one answer; a server that sends more of them never ends."""

TURN_CHUNKS: Final = 256
"""Chunks of one answer that are parsed in one turn of the event loop. PERF: 0.2 ms; a read may hold 16,000."""

_HEAD_MOST: Final = 16 * 1024
_HEADERS_MOST: Final = 100
_INTERIM: Final = range(100, 200)
_FINAL: Final = 200
_SWITCHING: Final = 101
_BODILESS: Final = frozenset({204, 304})

_buffer = memoryview(bytearray(READ_BYTES))
"""One buffer for all connections of the process: it is read within the call that filled it."""


class ClientConnection(asyncio.BufferedProtocol):
    """One connection to a server. `uses` counts its requests; `reusable` tells whether it can take another.

    `readable(0)` tells whether bytes, or the peer's end, have come that the loop has not read yet. `flaw` says in one
    word what was wrong with an answer that is none, `error` is what ended the connection, if known.
    `place`, `born`, `idle_until` are notes of whoever keeps it.
    """

    __slots__ = (
        "_asker",
        "_backlog",
        "_chunks",
        "_gathered",
        "_head",
        "_held",
        "_interim",
        "_missing",
        "_on_lost",
        "_parser",
        "_parts",
        "_paused",
        "_streaming",
        "_turn_scheduled",
        "_was_heard",
        "born",
        "error",
        "flaw",
        "idle_until",
        "keep_alive",
        "place",
        "readable",
        "reusable",
        "transport",
        "uses",
    )

    def __init__(self, on_lost: Callable[["ClientConnection"], None]) -> None:
        self._on_lost = on_lost
        self.transport: asyncio.Transport = CLOSED
        self._parser = answer_parser()
        self._asker: Asker | None = None
        self.uses = 0
        self.place = 0
        self.reusable = True
        self.idle_until = 0.0
        self.born = 0.0
        self.keep_alive: bytes | None = None
        self._turn_scheduled = False
        self.flaw = ""
        self.error: Exception | None = None
        self.readable: Readable = never_readable
        self._reset()

    def _reset(self) -> None:
        self._head: AnswerHead | None = None
        self._held = b""
        self._parts: list[bytes] = []
        self._missing = 0
        self._gathered = 0
        self._interim = 0
        self._backlog = b""
        self._chunks: ChunkedBody | None = None
        self._paused = False
        self._streaming = False
        self._was_heard = False

    def send(self, request: bytes, asker: Asker) -> None:
        """Send one whole request; its answer goes to `asker`."""
        self._asker = asker
        self.uses += 1
        self.transport.write(request)

    def pause(self) -> None:
        """Stop reading the answer: its reader does not keep up."""
        self._paused = True
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        """Go on reading the answer."""
        self._paused = False
        self._end_turn()

    def close(self) -> None:
        """Close an idle connection in peace."""
        self.reusable = False
        self.transport.close()

    def leave(self) -> None:
        """Nobody wants the answer any more: cut the connection, which frees the server's side too."""
        self._asker = None
        self.reusable = False
        self.transport.abort()

    # what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport, and bound what TLS reads ahead of us."""
        if not self.reusable:  # it was given up meanwhile
            transport.abort()  # type: ignore[attr-defined]
            return
        self.transport = transport  # type: ignore[assignment]
        bound_read_ahead(transport)
        self.readable = readable_of(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the asker what became of its answer. No reference cycle stays behind."""
        self.reusable = False
        self.error = exc
        self.transport = CLOSED
        self._drain()
        asker, self._asker = self._asker, None
        if asker is not None:
            asker.broken(Broken.CUT if self._was_heard else Broken.CLOSED)
        self.error = None  # its traceback holds the transport
        self._on_lost(self)

    def eof_received(self) -> bool:
        """End the answer that ends with its connection; anything else was cut."""
        self._drain()
        self.reusable = False
        head = self._head
        if self._asker is not None and head is not None and head.length is None and not head.chunked:
            self._complete(head)
        return False

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Where to read to."""
        return _buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read; a full buffer ends this connection's turn, so that one server never holds the loop."""
        data = bytes(_buffer[:nbytes])
        if self._backlog:
            self._backlog += data
            return
        self._take(data)
        # Behind an answer reading goes on: what TLS holds already must meet no call.
        if self._backlog or (nbytes == READ_BYTES and self._asker is not None):
            self._end_turn(full=True)

    def _take(self, data: bytes) -> None:
        asker = self._asker
        if asker is None:  # nobody asked: an answer to no question must never meet the next one
            self.reusable = False
            self.transport.abort()
            return
        try:
            if not self._was_heard:
                if self._take_whole(asker, data):
                    return
                self._was_heard = True
                asker.first_byte()
            if self._head is None:
                self._take_head(data)
            else:
                self._take_body(self._head, data)
        except Malformed as error:
            self._break(error.wrong.value)

    def _end_turn(self, *, full: bool = False) -> None:
        """Read on, or let the other connections have the loop first when `full`, or when bytes wait already."""
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
        """Go on with what waited for this turn, unless the reader of the answer paused meanwhile."""
        self._turn_scheduled = False
        if self._paused:
            return
        data, self._backlog = self._backlog, b""
        if data:
            self._take(data)
        self._end_turn()

    def _drain(self) -> None:  # the peer has ended, nothing more will come
        while self._backlog and self._asker is not None:
            data, self._backlog = self._backlog, b""
            self._take(data)

    def _break(self, flaw: str) -> None:
        self.flaw = flaw
        asker, self._asker = self._asker, None
        self.reusable = False
        self._backlog = b""
        self.transport.abort()
        if asker is not None:
            asker.broken(Broken.MALFORMED)

    # the answer

    def _take_whole(self, asker: Asker, data: bytes) -> bool:
        """Take an answer that came whole in its first segment, as nearly every answer does.

        PERF: nothing is noted down and nothing reset; 4 us less than the long way, which would do the same.
        """
        end = data.find(HEAD_END) + 4
        if not 4 <= end <= _HEAD_MOST or data[:9] != b"HTTP/1.1 ":  # noqa: PLR2004 - find() said -1
            return False
        raw = data[:end]
        parser = self._parser
        headers = parser.fields(raw, _HEADERS_MOST)
        parser.owed = True
        status = parser.status()
        told = headers.get(b"content-length")
        if (
            told != b"%d" % (len(data) - end)
            or b"transfer-encoding" in headers
            or status < _FINAL
            or status in _BODILESS
        ):
            return False
        if b"connection" in headers and b"close" in headers[b"connection"].lower():
            self.reusable = False
        body = data[end:]
        parser.body(body)
        self._asker = None
        self.keep_alive = headers.get(b"keep-alive")
        asker.whole(status, headers, body)
        return True

    def _take_head(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
            self._held = b""
        while True:
            end = data.find(HEAD_END) + 4
            if end < 4:  # noqa: PLR2004 - find() said -1
                bare = data.count(b"\n") != data.count(b"\r\n")
                if bare or len(data) > _HEAD_MOST or not data.startswith(b"HTTP/1."[: len(data)]):
                    self._break(Wrong.HEAD_MALFORMED.value)
                    return
                self._held = data
                return
            if end > _HEAD_MOST:
                raise Malformed(Wrong.HEAD_TOO_LARGE)
            head = answer_head(data if end == len(data) else data[:end], _HEADERS_MOST, self._parser)
            data = data[end:]
            if head.status not in _INTERIM:
                break
            self._interim += 1
            if head.status == _SWITCHING or self._interim > INTERIM_MOST:
                self._break("status" if head.status == _SWITCHING else "interim_answers")
                return
        self._begin(head, data)

    def _begin(self, head: AnswerHead, data: bytes) -> None:
        self._head = head
        if head.close:
            self.reusable = False
        if head.status in _BODILESS:
            if data or head.length or head.chunked:
                self._break("length")
                return
            self._complete(head)
            return
        if head.chunked:
            self._chunks = ChunkedBody(answer=True)
        self._missing = head.length or 0
        self._take_body(head, data)

    def _take_body(self, head: AnswerHead, data: bytes) -> None:
        done = False
        if self._chunks is not None:
            data, self._backlog = self._chunks.feed(data, TURN_CHUNKS)
            done = self._chunks.done
            if done and self._backlog:
                self._break("length")
                return
        elif head.length is not None:
            if len(data) > self._missing:
                self._break("length")
                return
            self._missing -= len(data)
            done = not self._missing
        self._gathered += len(data)
        if self._streaming:
            if data and self._asker is not None:
                self._asker.more(data)
        else:
            self._parts.append(data)
            self._stream_if_large(head, done=done)
        if done:
            self._complete(head)

    def _stream_if_large(self, head: AnswerHead, *, done: bool) -> None:
        size = self._gathered if head.length is None else head.length
        if done or size <= WHOLE_BYTES or self._asker is None:
            return
        self._streaming = True
        body = b"".join(self._parts)
        self._parts.clear()
        self._asker.begun(head, body)

    def _complete(self, head: AnswerHead) -> None:
        asker, self._asker = self._asker, None
        streamed, parts = self._streaming, self._parts
        self.keep_alive = head.headers.get(b"keep-alive")
        self._reset()
        if asker is not None and streamed:
            if not self.transport.is_closing():
                self.transport.resume_reading()  # its reader may have paused it; the next one waits to be read
            asker.ended()
        elif asker is not None:
            asker.whole(head.status, head.headers, parts[0] if len(parts) == 1 else b"".join(parts))
