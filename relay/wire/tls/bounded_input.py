"""Hands received bytes to OpenSSL in slices, and limits TLS records that carry no data."""

import math
import ssl
from collections.abc import Callable
from typing import Any, Final

from relay.wire.tls.errors import RecordsExceeded
from relay.wire.tls.record_counter import RecordCounter

MAX_EMPTY_RECORDS: Final = 32
"""Records without data above the number of those with data. OpenSSL limits empty records alike, but not KeyUpdates."""

SLICE_BYTES: Final = 8192
"""Bytes that OpenSSL gets before records are counted again: 300 KeyUpdates."""

RECORD_BYTES: Final = 16 * 1024
"""The data of one TLS record at most; a read returns no more.

PERF: uvloop asks for 256 KiB, for which each read would map and unmap memory: 10 us.
"""

_HANDSHAKE_SLICE_BYTES: Final = 1024
"""Bytes of a handshake that OpenSSL gets at once. A MemoryBIO never shrinks, so small slices save memory."""


class BoundedInput:
    """The bytes that one TLS connection has `received`. OpenSSL reads them from `part`, a slice at a time.

    `read` and `pending` replace the methods of the SSL object; they call OpenSSL's, `read_data` and `count_data`.
    """

    __slots__ = ("_allowed", "_count_data", "_counter", "_part", "_read_data", "_reads", "_received", "_records")

    def __init__(
        self,
        received: ssl.MemoryBIO,
        part: ssl.MemoryBIO,
        read_data: Callable[..., Any],
        count_data: Callable[[], int],
    ) -> None:
        self._received = received
        self._part = part
        self._read_data = read_data
        self._count_data = count_data
        self._counter = RecordCounter()
        self._records = 0
        self._reads = 0
        self._allowed = math.inf

    def read(self, size: int = 1024, buffer: Any = None) -> Any:
        """Reads data, at most that of one record unless into a `buffer`.

        Raises RecordsExceeded if the peer sends too many records without data.
        """
        received = self._received
        if received.pending and not self._part.pending:  # PERF: most calls find neither
            self.hand_over()
        while True:
            try:
                data = self._read_data(min(size, RECORD_BYTES)) if buffer is None else self._read_data(size, buffer)
            except ssl.SSLWantReadError:
                if not received.pending:
                    raise
                self.hand_over()
            else:
                self._reads += 1
                return data

    def pending(self) -> int:
        """Returns how many bytes can be read or wait for OpenSSL; the event loop reads on while it is not 0."""
        return self._count_data() + self._part.pending

    def hand_over(self, size: int = SLICE_BYTES) -> int:
        """Hands a slice of received bytes to OpenSSL. Returns its length. Raises RecordsExceeded."""
        part = self._received.read(size)
        if not part:
            return 0
        if self._records > MAX_EMPTY_RECORDS + 2 * self._reads:
            raise RecordsExceeded("too many TLS records without data")
        self._allowed -= len(part)
        if self._allowed < 0:
            raise RecordsExceeded("too much data after the end")
        self._records += self._counter.count(part)
        self._part.write(part)
        return len(part)

    def hand_over_handshake(self) -> int:
        """Hands over a slice of a handshake, whose records are not counted. Returns its length."""
        taken = self.hand_over(_HANDSHAKE_SLICE_BYTES)
        self._records = 0
        return taken

    def limit(self, size: int) -> None:
        """From now on at most `size` bytes are handed over."""
        self._allowed = min(self._allowed, size)
