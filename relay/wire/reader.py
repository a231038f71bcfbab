"""Parses a stream of bytes into whole requests. Uses no sockets and no clock."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from relay.wire.chunked import ChunkedBody
from relay.wire.head import HEAD_END, ProtocolError, RequestHead, Violation, parse_request_head

_CHUNK_OVERHEAD: Final = 16 * 1024
"""Bytes of chunk framing allowed above the body limit. Thousands of one-byte chunks are an attack on the CPU."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Limits for one peer: sizes in bytes, times in seconds, `pipelined` requests waiting at most."""

    head_bytes: int
    headers: int
    body_bytes: int
    pipelined: int
    head_s: float
    body_s: float
    idle_s: float


class Stage(IntEnum):
    """The part of a request that is incomplete."""

    NOTHING = 0
    HEAD = 1
    BODY = 2


class RequestReader:
    """Takes bytes in pieces of any size and calls `on_request(head, body)` for each whole request, in order.

    `stage` is the part that is incomplete. `asks_to_continue` is set if the peer waits for `100 Continue`; the caller
    clears it. While the caller has set `stopped`, bytes are kept unread; to continue, feed again (b"" is enough).
    """

    __slots__ = (
        "_body",
        "_body_bytes_read",
        "_chunks",
        "_head",
        "_limits",
        "_missing",
        "_on_request",
        "_partial",
        "asks_to_continue",
        "stopped",
    )

    def __init__(self, limits: ServerLimits, on_request: Callable[[RequestHead, bytes], None]) -> None:
        self._limits = limits
        self._on_request = on_request
        self._partial = b""
        self._head: RequestHead | None = None
        self._body: list[bytes] = []
        self._missing = 0
        self._body_bytes_read = 0
        self._chunks: ChunkedBody | None = None
        self.asks_to_continue = False
        self.stopped = False

    @property
    def stage(self) -> Stage:
        """The part of a request that is incomplete."""
        if self._head is not None:
            return Stage.BODY
        return Stage.HEAD if self._partial and not self.stopped else Stage.NOTHING

    def feed(self, data: bytes) -> None:
        """Parses bytes. Raises ProtocolError at the first invalid byte; whole requests before it are delivered."""
        if self._partial:
            data = self._partial + data
            self._partial = b""
        while data:
            if self.stopped:
                self._partial = data
                return
            data = self._take_body(data) if self._head is not None else self._take_head(data)

    def timeout_error(self) -> ProtocolError:
        """Returns the error of the part that came too slowly."""
        if self._head is not None:
            return self._malformed(Violation.BODY_TOO_SLOW)
        return ProtocolError(Violation.HEAD_TOO_SLOW, self._partial)

    def close(self) -> None:
        """Drops the incomplete request and the callback."""
        self._on_request = _ignore_request
        self._partial = b""
        self._body.clear()

    def _take_head(self, data: bytes) -> bytes:
        end = data.find(HEAD_END)
        if end < 0:
            return self._keep_partial(data)
        end += 4
        if end > self._limits.head_bytes:
            raise self._head_too_large(data)
        raw = data if end == len(data) else data[:end]
        head = parse_request_head(raw, self._limits.headers)
        if not head.length and not head.chunked:
            self._on_request(head, b"")
            return data[end:]
        whole = end + head.length  # PERF: a body nearly always comes in the segment of its head
        if head.chunked or whole > len(data) or head.length > self._limits.body_bytes or b"expect" in head.headers:
            self._expect_body(head, raw)
            return data[end:]
        self._on_request(head, data[end:whole])
        return data[whole:]

    def _keep_partial(self, data: bytes) -> bytes:
        """Keeps a partial head. Raises ProtocolError if it cannot become a valid one."""
        if len(data) > self._limits.head_bytes:
            raise self._head_too_large(data)
        if not data[:1].isupper() or data.count(b"\n") != data.count(b"\r\n") or b"\0" in data:
            raise ProtocolError(Violation.HEAD_MALFORMED, data)
        self._partial = data
        return b""

    def _expect_body(self, head: RequestHead, raw: bytes) -> None:
        if head.length > self._limits.body_bytes:
            raise ProtocolError(Violation.BODY_TOO_LARGE, raw, max_bytes=self._limits.body_bytes)
        expect = head.headers.get(b"expect")
        if expect is not None and expect.lower() != b"100-continue":
            raise ProtocolError(Violation.HEAD_MALFORMED, raw)
        self.asks_to_continue = expect is not None
        self._head = head
        self._missing = head.length
        self._body_bytes_read = 0
        self._chunks = ChunkedBody(is_response=False) if head.chunked else None

    def _take_body(self, data: bytes) -> bytes:
        if self._chunks is not None:
            return self._take_chunks(self._chunks, data)
        part = data[: self._missing]
        self._body.append(part)
        self._missing -= len(part)
        if not self._missing:
            self._finish_body()
        return data[len(part) :]

    def _take_chunks(self, chunks: ChunkedBody, data: bytes) -> bytes:
        try:
            part, rest = chunks.feed(data)
        except ProtocolError as error:
            raise self._malformed(Violation.BODY_MALFORMED) from error
        self._body.append(part)
        self._body_bytes_read += len(data) - len(rest)
        self._missing += len(part)
        if self._missing > self._limits.body_bytes or self._body_bytes_read > self._limits.body_bytes + _CHUNK_OVERHEAD:
            raise self._malformed(Violation.BODY_TOO_LARGE, self._limits.body_bytes)
        if chunks.done:
            self._finish_body()
        return rest

    def _head_too_large(self, data: bytes) -> ProtocolError:
        max_bytes = self._limits.head_bytes
        return ProtocolError(Violation.HEAD_TOO_LARGE, data[:max_bytes], max_bytes=max_bytes)

    def _malformed(self, violation: Violation, max_bytes: int = 0) -> ProtocolError:
        """Builds the error of the current request, with the parts of its head that decide the response."""
        head = self._head
        if head is None:
            return ProtocolError(violation, max_bytes=max_bytes)
        tran_id = head.headers.get(b"x-api-tran-id", b"")
        raw = b"%b %b\r\nx-api-tran-id: %b\r\n" % (head.method.encode(), head.target, tran_id)
        return ProtocolError(violation, raw, max_bytes=max_bytes)

    def _finish_body(self) -> None:
        head, body = self._head, b"".join(self._body)
        self._head = self._chunks = None
        self._body.clear()
        self._missing = 0
        self.asks_to_continue = False  # the body came without 100 Continue
        if head is not None:
            self._on_request(head, body)


def _ignore_request(_head: RequestHead, _body: bytes) -> None:
    """Replaces the callback of a closed reader."""
