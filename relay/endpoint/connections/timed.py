"""aiohttp connections with deadlines: aiohttp itself waits without limit for a head, a body or a reader."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from aiohttp import StreamReader, web

from relay.endpoint.connections.limits import ConnectionTimeouts
from relay.wire.deadline_watch import DeadlineWatch
from relay.wire.tls.errors import RecordsExceeded

CLOSING_S: Final = 1.0
"""Seconds between the close of a connection and its abort, and for TLS peers to answer a close."""
_KEEPALIVE_DISABLED_S: Final = 86_400.0
"""aiohttp's own timeout of idle connections; the deadlines here come first."""

SLICE_BYTES: Final = 4096
"""Bytes that aiohttp parses at once: it creates an object for each chunk, which takes 10 us."""

TURN_BYTES: Final = 16_384
"""Bytes read from a connection in one turn of the event loop; the rest waits for the next turn."""

MAX_HEAD_BYTES: Final = 131_072
"""Bytes before a head ends, including empty lines, which aiohttp skips without limit. Larger than the longest line that
the authority's socket accepts (`handlers.SERVER_OPTIONS`)."""

MAX_FRAMING_BYTES: Final = 16_384
"""Bytes of a body beyond twice its content: chunk sizes, extensions, trailers. aiohttp skips them without limit."""

T = TypeVar("T")


class CallerDisconnected(ConnectionError):
    """The caller disconnected before it got a response."""


def _ignore_loss() -> None:
    """The default of `on_lost`."""


def _ignore_flood(_: str) -> None:
    """The default of `on_flood`."""


class TimedConnection(web.RequestHandler):
    """A connection with a deadline that a `DeadlineWatch` checks.

    `on_lost` is called when the connection is lost. `on_flood` is called before that, with a reason, when a flood ended
    the connection: TLS records, or bytes that are neither head nor content (MAX_FRAMING_BYTES, MAX_HEAD_BYTES).
    """

    __slots__ = (
        *(
            "_answering",
            "_body",
            "_closing",
            "_idle",
            "_receiving",
            "_timeouts",
            "_watch",
            "_open_transport",
            "deadline",
        ),
        *("_heads_seen", "_turn_bytes", "_bytes_since_head", "_task", "on_flood", "on_lost"),
    )

    def __init__(self, server: web.Server, timeouts: ConnectionTimeouts, watch: DeadlineWatch, **options: Any) -> None:
        super().__init__(
            server, loop=asyncio.get_running_loop(), **{"keepalive_timeout": _KEEPALIVE_DISABLED_S, **options}
        )
        self._timeouts = timeouts
        self._watch = watch
        self._open_transport: asyncio.Transport | None = None
        self._body: StreamReader | None = None
        self._idle = self._receiving = self._answering = self._closing = False
        self._task: asyncio.Task[Any] | None = None
        self._heads_seen = self._turn_bytes = self._bytes_since_head = 0
        self.deadline = math.inf
        self.on_lost: Callable[[], None] = _ignore_loss
        self.on_flood: Callable[[str], None] = _ignore_flood

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sets the deadline of the first head."""
        super().connection_made(transport)
        self._open_transport = self.transport
        self._set_deadline(self._timeouts.head_s)
        self._watch.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Cancels the work of the connection and reports its loss."""
        super().connection_lost(exc)
        self._watch.discard(self)
        self._open_transport = None
        body, self._body = self._body, None
        if body is not None and not self._answering:
            body.feed_eof()  # aiohttp would wait 10 s for the rest of an answered request
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        on_flood, self.on_flood = self.on_flood, _ignore_flood
        if isinstance(exc, RecordsExceeded):
            on_flood("tls_records_exceeded")
        on_lost, self.on_lost = self.on_lost, _ignore_loss
        on_lost()

    def data_received(self, data: bytes) -> None:
        """Parses received bytes. The first byte after a response starts the deadline of the next head."""
        if self._idle and data:
            self._idle = False
            self._set_deadline(self._timeouts.head_s)
        for start in range(0, max(len(data), 1), SLICE_BYTES):  # b"" makes aiohttp resume with its buffered bytes
            piece = data[start : start + SLICE_BYTES]
            super().data_received(piece)
            if self._detect_flood(len(piece)):
                return
        self._count_turn(len(data))

    def _detect_flood(self, received: int) -> bool:
        """Aborts the connection when too many bytes are neither head nor content. Returns whether it did."""
        if self._request_count != self._heads_seen:
            self._heads_seen, self._bytes_since_head = self._request_count, 0
            return False
        self._bytes_since_head += received
        body = self._messages[-1][1] if self._messages else self._body
        max_bytes = MAX_HEAD_BYTES if body is None or body.is_eof() else MAX_FRAMING_BYTES + 2 * body.total_bytes
        if self._bytes_since_head <= max_bytes or self._open_transport is None:
            return False
        self.on_flood("framing_exceeded")
        self._open_transport.abort()
        return True

    def _count_turn(self, received: int) -> None:
        """Pauses reading until the next turn once this turn's bytes are used up."""
        if not self._turn_bytes:
            asyncio.get_running_loop().call_soon(self._next_turn)
        before, self._turn_bytes = self._turn_bytes, self._turn_bytes + max(received, 1)
        if before < TURN_BYTES <= self._turn_bytes:
            self._pause_transport_reading()

    def _next_turn(self) -> None:
        paused, self._turn_bytes = self._turn_bytes >= TURN_BYTES, 0
        if paused and not self._reading_paused and not self._buffer_paused:
            self._resume_transport_reading()

    async def run_for_caller(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns the result of `work`. Cancels it and raises CallerDisconnected when the connection is lost."""
        task = asyncio.get_running_loop().create_task(work)
        if self._open_transport is None:
            task.cancel()
        self._task = task
        try:
            return await task
        except asyncio.CancelledError:
            handler = asyncio.current_task()
            if self._open_transport is None and not (handler and handler.cancelling()):
                raise CallerDisconnected from None
            raise
        finally:
            self._task = None

    def request_received(self, body: StreamReader) -> None:
        """Sets the deadline of a request's body, after its head."""
        self._answering = self._receiving = True
        self._body = body
        self._update()
        body.on_eof(self._body_received)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Writes the response and sets the deadline of the next request."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._answering = False
            self._update()

    def pause_writing(self) -> None:
        """Sets the deadline of the caller's reading."""
        super().pause_writing()
        self._update()

    def resume_writing(self) -> None:
        """Sets the next deadline after the caller has read a part."""
        super().resume_writing()
        self._update()

    def handle_timeout(self, now: float) -> None:
        """Closes the connection; aborts it if it has unsent bytes or was closed before."""
        transport = self._open_transport
        if transport is None:
            return
        if self._closing or transport.get_write_buffer_size():
            transport.abort()
            return
        self._closing = True
        self.deadline = now + CLOSING_S
        self.force_close()

    def _body_received(self) -> None:
        self._receiving = False
        self._body = None
        self._update()

    def _update(self) -> None:
        """Sets the deadline by the current wait: for a reader, a body, an endpoint (which has its own), a request."""
        if self._closing:
            return
        self._idle = False
        if self.writing_paused or self._receiving:
            self._set_deadline(self._timeouts.body_s)
        elif self._answering:
            self.deadline = math.inf
        else:
            self._idle = True
            self._set_deadline(self._timeouts.idle_s)

    def _set_deadline(self, wait_s: float) -> None:
        self.deadline = asyncio.get_running_loop().time() + wait_s


async def run_while_connected(request: web.BaseRequest, work: Coroutine[Any, Any, T]) -> T:
    """Returns the result of `work`. Cancels it and raises CallerDisconnected when the caller disconnects."""
    connection = request.protocol
    if isinstance(connection, TimedConnection):
        return await connection.run_for_caller(work)
    return await work
