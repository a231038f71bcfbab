"""Limits TLS records that carry no data: a KeyUpdate message costs 15 us, and a flood of them held the loop for 4 s."""

import math
import ssl
from typing import Any, ClassVar, Final, Self

EMPTY_MOST: Final = 32
"""Records without data above the number of those with data. OpenSSL limits empty records alike, but not KeyUpdates."""

SLICE_BYTES: Final = 8192
"""Bytes that OpenSSL gets before records are counted again: 300 KeyUpdates."""

CLOSING_BYTES: Final = 64 * 1024
"""Bytes accepted from a peer while its connection closes. PERF: records of one byte cost 300 ms a second."""

HANDSHAKE_BYTES: Final = 32 * 1024
"""Bytes of a handshake accepted from a server: its certificates and the names of the CAs that it trusts."""

CALLER_HANDSHAKE_BYTES: Final = 12 * 1024
"""Bytes of a handshake accepted from a client; four certificates of RSA-4096 have 8 KB.

PERF: OpenSSL accepts 100 KB of certificates and parses all of them before it refuses the first: 70 ms of the loop.
"""

_HANDSHAKE_SLICE_BYTES: Final = 4096
_HEADER_BYTES: Final = 5


class RecordsExceeded(ssl.SSLError):
    """The peer sent too many TLS records without data, too long a handshake, or too much data after its end.

    `connection_lost` receives it.
    """

    def __init__(self, text: str) -> None:
        super().__init__(ssl.SSL_ERROR_SSL, text)


class RecordCounter:
    """Counts the TLS records that begin in a stream of bytes (RFC 8446 5.1)."""

    __slots__ = ("_header", "_skip")

    def __init__(self) -> None:
        self._header = b""
        self._skip = 0

    def count(self, data: bytes) -> int:
        """Return how many record headers `data` completes."""
        if self._header:
            data, self._header = self._header + data, b""
        at, records, size = self._skip, 0, len(data)
        while at + _HEADER_BYTES <= size:
            records += 1
            at += _HEADER_BYTES + (data[at + 3] << 8 | data[at + 4])
        if at < size:
            self._header = data[at:]
        self._skip = max(at - size, 0)
        return records


class BoundedTls(ssl.SSLObject):
    """A TLS connection that fails if its peer sends too many records without data; set it as `sslobject_class`.

    OpenSSL gets received bytes in slices, so that records are counted in between. PERF: 1.5 us a call.
    """

    handshake_bytes: ClassVar[int] = HANDSHAKE_BYTES
    _received: ssl.MemoryBIO
    _slice: ssl.MemoryBIO
    _outgoing: ssl.MemoryBIO
    _counter: RecordCounter
    _records: int
    _reads: int
    _handshake_read: int
    _allowed: float

    @classmethod
    def _create(cls, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **kwargs: Any) -> Self:
        part = ssl.MemoryBIO()
        tls: Self = super()._create(part, outgoing, *args, **kwargs)  # type: ignore[misc]
        tls._received, tls._slice, tls._outgoing = incoming, part, outgoing
        tls._counter = RecordCounter()
        tls._records = tls._reads = tls._handshake_read = 0
        tls._allowed = math.inf
        return tls

    def do_handshake(self) -> None:
        """Continue the handshake. Its records are not counted. Raises RecordsExceeded if it is too long."""
        while True:
            try:
                super().do_handshake()
            except ssl.SSLWantReadError:
                if self._handshake_read >= self.handshake_bytes:
                    raise RecordsExceeded("handshake is too long") from None
                taken = self._hand_over(_HANDSHAKE_SLICE_BYTES)
                if not taken:
                    raise
                self._handshake_read += taken
                self._records = 0
            else:
                return

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002 - ssl's signature
        """Read data. Raises RecordsExceeded if the peer sends too many records without data."""
        if not self._slice.pending:
            self._hand_over()
        while True:
            try:
                data = super().read(len, buffer)
            except ssl.SSLWantReadError:
                if not self._hand_over():
                    raise
            else:
                self._reads += 1
                return data

    def pending(self) -> int:
        """Return how many bytes can be read or wait for OpenSSL; the event loop continues reading while it is not 0."""
        return super().pending() + self._slice.pending

    def unwrap(self) -> None:
        """Close the TLS connection. From now on at most CLOSING_BYTES are accepted from the peer."""
        self._allowed = min(self._allowed, CLOSING_BYTES)
        while True:
            try:
                super().unwrap()
            except ssl.SSLWantReadError:
                if not self._hand_over():
                    raise
            else:
                return

    def _hand_over(self, size: int = SLICE_BYTES) -> int:
        """Hand a slice of received bytes to OpenSSL. Returns its length."""
        part = self._received.read(size)
        if not part:
            return 0
        if self._records > EMPTY_MOST + 2 * self._reads:
            raise RecordsExceeded("too many TLS records without data")
        self._allowed -= len(part)
        if self._allowed < 0:
            raise RecordsExceeded("too much data after the end")
        self._records += self._counter.count(part)
        self._slice.write(part)
        return len(part)
