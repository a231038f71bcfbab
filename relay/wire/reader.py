"""From a stream of bytes to whole requests: the pure half of the server's side, without sockets and clocks."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from relay.wire.chunked import ChunkedBody
from relay.wire.head import HEAD_END, Malformed, RequestHead, Wrong, request_head, request_parser

_CHUNK_OVERHEAD: Final = 16 * 1024
"""Bytes of chunk framing allowed above the body's own limit; thousands of one-byte chunks are an attack on the CPU."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What is taken from a peer: sizes in bytes, times in seconds, pipelined requests waiting at most."""

    head_bytes: int
    headers: int
    body_bytes: int
    pipelined: int
    head_s: float
    body_s: float
    idle_s: float


class Stage(IntEnum):
    """What of a request has begun and not ended."""

    NOTHING = 0
    HEAD = 1
    BODY = 2


class RequestReader:
    """Takes bytes in any pieces and calls `arrived(head, body)` for each whole request, in order.

    `stage` tells what is unfinished; `asks_to_continue` that a body waits to be asked for by `100 Continue` (the caller
    clears it). While the caller has it `stopped` bytes are kept unread; feed it (b"" will do) when it goes on.
    """

    __slots__ = (
        "_arrived",
        "_body",
        "_chunks",
        "_head",
        "_held",
        "_limits",
        "_missing",
        "_parser",
        "_taken",
        "asks_to_continue",
        "stopped",
    )

    def __init__(self, limits: ServerLimits, arrived: Callable[[RequestHead, bytes], None]) -> None:
        self._limits = limits
        self._arrived = arrived
        self._held = b""
        self._head: RequestHead | None = None
        self._parser = request_parser()
        self._body: list[bytes] = []
        self._missing = 0
        self._taken = 0
        self._chunks: ChunkedBody | None = None
        self.asks_to_continue = False
        self.stopped = False

    @property
    def stage(self) -> Stage:
        """What of a request has begun and not ended."""
        if self._head is not None:
            return Stage.BODY
        return Stage.HEAD if self._held and not self.stopped else Stage.NOTHING

    def feed(self, data: bytes) -> None:
        """Take bytes. Raises Malformed at the first that cannot belong to a request; what was whole has arrived."""
        if self._held:
            data = self._held + data
            self._held = b""
        while data:
            if self.stopped:
                self._held = data
                return
            data = self._take_body(data) if self._head is not None else self._take_head(data)

    def given_up(self) -> Malformed:
        """Tell which part came too slowly."""
        if self._head is not None:
            return self._malformed(Wrong.BODY_TOO_SLOW)
        return Malformed(Wrong.HEAD_TOO_SLOW, self._held)

    def close(self) -> None:
        """Drop what is unfinished and the callback; nothing arrives any more."""
        self._arrived = _ignore
        self._held = b""
        self._body.clear()

    def _take_head(self, data: bytes) -> bytes:
        end = data.find(HEAD_END)
        if end < 0:
            return self._hold(data)
        end += 4
        if end > self._limits.head_bytes:
            raise self._head_too_large(data)
        raw = data if end == len(data) else data[:end]
        head = request_head(raw, self._limits.headers, self._parser)
        if not head.length and not head.chunked:
            self._arrived(head, b"")
            return data[end:]
        whole = end + head.length  # PERF: a body nearly always comes in the segment of its head
        if head.chunked or whole > len(data) or head.length > self._limits.body_bytes or b"expect" in head.headers:
            self._expect_body(head, raw)
            return data[end:]
        body = data[end:whole]
        self._parser.body(body)
        self._arrived(head, body)
        return data[whole:]

    def _hold(self, data: bytes) -> bytes:
        """Keep part of a head, unless it can be seen already that it will be none."""
        if len(data) > self._limits.head_bytes:
            raise self._head_too_large(data)
        if not data[:1].isupper() or data.count(b"\n") != data.count(b"\r\n") or b"\0" in data:
            raise Malformed(Wrong.HEAD_MALFORMED, data)
        self._held = data
        return b""

    def _expect_body(self, head: RequestHead, raw: bytes) -> None:
        if head.length > self._limits.body_bytes:
            raise Malformed(Wrong.BODY_TOO_LARGE, raw, most=self._limits.body_bytes)
        expect = head.headers.get(b"expect")
        if expect is not None and expect.lower() != b"100-continue":
            raise Malformed(Wrong.HEAD_MALFORMED, raw)
        self.asks_to_continue = expect is not None
        self._head = head
        self._missing = head.length
        self._taken = 0
        self._chunks = ChunkedBody(is_response=False) if head.chunked else None

    def _take_body(self, data: bytes) -> bytes:
        if self._chunks is not None:
            return self._take_chunks(self._chunks, data)
        part = data[: self._missing]
        self._body.append(part)
        self._missing -= len(part)
        if not self._missing:
            self._ended()
        return data[len(part) :]

    def _take_chunks(self, chunks: ChunkedBody, data: bytes) -> bytes:
        try:
            part, rest = chunks.feed(data)
        except Malformed as error:
            raise self._malformed(Wrong.BODY_MALFORMED) from error
        self._body.append(part)
        self._taken += len(data) - len(rest)
        self._missing += len(part)
        if self._missing > self._limits.body_bytes or self._taken > self._limits.body_bytes + _CHUNK_OVERHEAD:
            raise self._malformed(Wrong.BODY_TOO_LARGE, self._limits.body_bytes)
        if chunks.done:
            self._ended()
        return rest

    def _head_too_large(self, data: bytes) -> Malformed:
        most = self._limits.head_bytes
        return Malformed(Wrong.HEAD_TOO_LARGE, data[:most], most=most)

    def _malformed(self, wrong: Wrong, most: int = 0) -> Malformed:
        """A refusal of the request in hand, carrying what of its head decides the answer."""
        head = self._head
        if head is None:
            return Malformed(wrong, most=most)
        tran_id = head.headers.get(b"x-api-tran-id", b"")
        raw = b"%b %b\r\nx-api-tran-id: %b\r\n" % (head.method.encode(), head.target, tran_id)
        return Malformed(wrong, raw, most=most)

    def _ended(self) -> None:
        head, body = self._head, b"".join(self._body)
        if self._chunks is None:
            self._parser.body(body)
        self._head = self._chunks = None
        self._body.clear()
        self._missing = 0
        self.asks_to_continue = False  # it came unasked
        if head is not None:
            self._arrived(head, body)


def _ignore(_head: RequestHead, _body: bytes) -> None:
    """Take the place of the callback of a closed reader."""
