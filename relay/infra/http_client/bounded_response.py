"""aiohttp client connections with bounds on interim responses and framing (RFC 9110 15.2)."""

from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import set_exception

from relay.wire.chunked import CHUNK_OVERHEAD
from relay.wire.client import MAX_INTERIM_RESPONSES

SLICE_BYTES: Final = 4096
"""Bytes parsed at a time. An interim response has at least 25 bytes: at most 170 are parsed past a limit."""


class BoundedResponseHandler(ResponseHandler):
    """A connection for one call. aiohttp itself bounds neither interim responses nor bytes beside the content.

    It would parse endless interim responses, megabytes in one iteration of the event loop, into an object each. After
    MAX_INTERIM_RESPONSES of them, or CHUNK_OVERHEAD bytes beyond twice the content, the connection is aborted and the
    call raises aiohttp.ClientPayloadError.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._heads = 0
        self._received = 0
        self._content = 0

    def data_received(self, data: bytes) -> None:
        """Parses data slice by slice until a limit is exceeded. b"" continues with buffered data."""
        for start in range(0, max(len(data), 1), SLICE_BYTES):
            if self._abort_if_exceeded():
                return
            piece = data[start : start + SLICE_BYTES]
            self._received += len(piece)
            super().data_received(piece)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Passes a response head on, interim or final."""
        self._heads += 1
        if self._heads <= MAX_INTERIM_RESPONSES + 1:
            super().feed_data(data, size)

    def _abort_if_exceeded(self) -> bool:
        """Aborts the connection if a limit is exceeded. Returns whether it is closed."""
        if self.transport is None:
            return True
        if self._payload is not None:
            self._content = self._payload.total_bytes
        if self._heads <= MAX_INTERIM_RESPONSES + 1 and self._received <= CHUNK_OVERHEAD + 2 * self._content:
            return False
        error = aiohttp.ClientPayloadError("too many interim responses or too much framing")
        self.set_exception(error)
        if self._payload is not None:
            set_exception(self._payload, error)
        self.transport.abort()
        return True
