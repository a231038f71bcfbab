"""Counts TLS records in a stream of bytes."""

from typing import Final

_HEADER_BYTES: Final = 5


class RecordCounter:
    """Counts the TLS records that begin in a stream of bytes (RFC 8446 5.1)."""

    __slots__ = ("_header", "_skip")

    def __init__(self) -> None:
        self._header = b""
        self._skip = 0

    def count(self, data: bytes) -> int:
        """Returns how many record headers `data` completes."""
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
