"""aiohttp's client connections with bounds on what a peer can send beside an answer's content (RFC 9110 15.2)."""

from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import set_exception

from relay.wire.chunked import CHUNK_OVERHEAD
from relay.wire.client import INTERIM_MOST

SLICE_BYTES: Final = 4096
"""Bytes that are parsed in one piece. An interim answer has 25 bytes at least: at most 170 are parsed before one is
too many."""


class BoundedAnswer(ResponseHandler):
    """A connection that carries one call. aiohttp bounds neither interim answers nor what stands beside the content.

    It reads interim answers without end, megabytes in one turn of the event loop, and makes an object of each. After
    INTERIM_MOST of them, or CHUNK_OVERHEAD bytes more than twice the content, the connection is cut; whoever waits for
    the answer gets aiohttp.ClientPayloadError.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._heads = 0
        self._received = 0
        self._content = 0

    def data_received(self, data: bytes) -> None:
        """Parse what came, a slice at a time, until too much came. b"" goes on with what was kept back."""
        for start in range(0, max(len(data), 1), SLICE_BYTES):
            if self._cut():
                return
            piece = data[start : start + SLICE_BYTES]
            self._received += len(piece)
            super().data_received(piece)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Keep a head, interim or not, for who waits for it."""
        self._heads += 1
        if self._heads <= INTERIM_MOST + 1:
            super().feed_data(data, size)

    def _cut(self) -> bool:
        """Whether nothing more is read; cuts the connection when too much came."""
        if self.transport is None:
            return True
        if self._payload is not None:
            self._content = self._payload.total_bytes
        if self._heads <= INTERIM_MOST + 1 and self._received <= CHUNK_OVERHEAD + 2 * self._content:
            return False
        error = aiohttp.ClientPayloadError("interim answers or framing without end")
        self.set_exception(error)
        if self._payload is not None:
            set_exception(self._payload, error)
        self.transport.abort()
        return True
