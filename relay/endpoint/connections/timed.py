"""Connections of aiohttp that have deadlines: by itself aiohttp waits for a head, a body or a reader for ever."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from aiohttp import StreamReader, web

from relay.endpoint.connections.limits import ConnectionTimeouts
from relay.wire.tls_records import RecordsExceeded
from relay.wire.watch import Watch

CLOSING_S: Final = 1.0
"""So long a closed connection has to leave; then it is cut. TLS peers that do not answer a close have as long."""
_NEVER_S: Final = 86_400.0
"""aiohttp's own time-out of idle connections; the deadlines here come first."""

SLICE_BYTES: Final = 4096
"""Bytes that aiohttp parses in one piece: it makes an object of each chunk, and takes 10 us for it."""

TURN_BYTES: Final = 16_384
"""After so many bytes in one turn of the event loop the rest of a connection waits for the next turn."""

HEAD_MOST: Final = 131_072
"""Bytes before a head ends, empty lines among them: aiohttp skips those without end. Above what the authority's socket
takes as one line (`door.RUNNER`)."""

FRAMING_MOST: Final = 16_384
"""Bytes of a body beyond twice its content: sizes of chunks, extensions, trailers. aiohttp skips them without end."""

T = TypeVar("T")


class CallerGone(ConnectionError):
    """The caller hung up before it was answered."""


def _nothing() -> None:
    """Nobody counts this connection."""


def _untold(_: str) -> None:
    """Nobody is told why this connection was cut."""


class TimedConnection(web.RequestHandler):
    """One connection with a deadline, which a `Watch` looks at.

    `released` is called when the connection is lost, `flooded` before that with a reason when a flood cut it: of TLS
    records, or of bytes that are neither head nor content (FRAMING_MOST, HEAD_MOST).
    """

    __slots__ = (
        *("_answering", "_body", "_closing", "_idle", "_receiving", "_times", "_watch", "_wire", "deadline"),
        *("_heads", "_in_turn", "_since_head", "_work", "flooded", "released"),
    )

    def __init__(self, server: web.Server, times: ConnectionTimeouts, watch: Watch, **options: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **{"keepalive_timeout": _NEVER_S, **options})
        self._times = times
        self._watch = watch
        self._wire: asyncio.Transport | None = None
        self._body: StreamReader | None = None
        self._idle = self._receiving = self._answering = self._closing = False
        self._work: asyncio.Task[Any] | None = None
        self._heads = self._in_turn = self._since_head = 0
        self.deadline = math.inf
        self.released: Callable[[], None] = _nothing
        self.flooded: Callable[[str], None] = _untold

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first head."""
        super().connection_made(transport)
        self._wire = self.transport
        self._expect(self._times.head_s)
        self._watch.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Uncount the connection."""
        super().connection_lost(exc)
        self._watch.discard(self)
        self._wire = None
        body, self._body = self._body, None
        if body is not None and not self._answering:
            body.feed_eof()  # aiohttp would wait for the rest of an answered request for 10 s
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
        flooded, self.flooded = self.flooded, _untold
        if isinstance(exc, RecordsExceeded):
            flooded("tls_records_exceeded")
        released, self.released = self.released, _nothing
        released()

    def data_received(self, data: bytes) -> None:
        """Take what came. The first byte after an answer begins a head: later ones give it no more time."""
        if self._idle and data:
            self._idle = False
            self._expect(self._times.head_s)
        for start in range(0, max(len(data), 1), SLICE_BYTES):  # b"" goes on with what was kept back
            piece = data[start : start + SLICE_BYTES]
            super().data_received(piece)
            if self._floods(len(piece)):
                return
        self._rest(len(data))

    def _floods(self, received: int) -> bool:
        """Whether too much came that is neither head nor content; cuts the connection then."""
        if self._request_count != self._heads:
            self._heads, self._since_head = self._request_count, 0
            return False
        self._since_head += received
        body = self._messages[-1][1] if self._messages else self._body
        most = HEAD_MOST if body is None or body.is_eof() else FRAMING_MOST + 2 * body.total_bytes
        if self._since_head <= most or self._wire is None:
            return False
        self.flooded("framing_exceeded")
        self._wire.abort()
        return True

    def _rest(self, received: int) -> None:
        """Read on in the next turn when enough came in this one."""
        if not self._in_turn:
            asyncio.get_running_loop().call_soon(self._next_turn)
        begun, self._in_turn = self._in_turn, self._in_turn + max(received, 1)
        if begun < TURN_BYTES <= self._in_turn:
            self._pause_transport_reading()

    def _next_turn(self) -> None:
        paused, self._in_turn = self._in_turn >= TURN_BYTES, 0
        if paused and not self._reading_paused and not self._buffer_paused:
            self._resume_transport_reading()

    async def run_for_caller(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns; it is cancelled when the connection is lost. Raises CallerGone then."""
        task = asyncio.get_running_loop().create_task(work)
        if self._wire is None:
            task.cancel()
        self._work = task
        try:
            return await task
        except asyncio.CancelledError:
            handler = asyncio.current_task()
            if self._wire is None and not (handler and handler.cancelling()):
                raise CallerGone from None
            raise
        finally:
            self._work = None

    def begin(self, body: StreamReader) -> None:
        """Note that the head of a request is here."""
        self._answering = self._receiving = True
        self._body = body
        self._update()
        body.on_eof(self._received)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write the answer; then the next request is waited for."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._answering = False
            self._update()

    def pause_writing(self) -> None:
        """Give the caller time to take what was written."""
        super().pause_writing()
        self._update()

    def resume_writing(self) -> None:
        """Go on: the caller took a part."""
        super().resume_writing()
        self._update()

    def overdue(self, now: float) -> None:
        """Close the connection; cut it when it holds unread bytes or was closed before."""
        wire = self._wire
        if wire is None:
            return
        if self._closing or wire.get_write_buffer_size():
            wire.abort()
            return
        self._closing = True
        self.deadline = now + CLOSING_S
        self.force_close()

    def _received(self) -> None:
        self._receiving = False
        self._body = None
        self._update()

    def _update(self) -> None:
        """Set the deadline by what is waited for: a reader, a body, an endpoint (which has its own), a request."""
        if self._closing:
            return
        self._idle = False
        if self.writing_paused or self._receiving:
            self._expect(self._times.body_s)
        elif self._answering:
            self.deadline = math.inf
        else:
            self._idle = True
            self._expect(self._times.idle_s)

    def _expect(self, wait_s: float) -> None:
        self.deadline = asyncio.get_running_loop().time() + wait_s


async def run_while_connected(request: web.BaseRequest, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns; it is cancelled when the caller of the request hangs up. Raises CallerGone then."""
    connection = request.protocol
    if isinstance(connection, TimedConnection):
        return await connection.run_for_caller(work)
    return await work
