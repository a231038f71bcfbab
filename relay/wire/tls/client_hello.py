"""Checks the first message of a TLS client before OpenSSL reads it (RFC 8446 4.1.2, 5.1)."""

from typing import Final

from relay.wire.tls.bounded_tls import CALLER_HANDSHAKE_BYTES
from relay.wire.tls.errors import RecordsExceeded

PEEKED_BYTES: Final = CALLER_HANDSHAKE_BYTES
"""Bytes that are inspected. OpenSSL gets no more of a client's whole handshake."""

MAX_RECORDS: Final = 32
"""Records that one ClientHello may consist of: 12 KB in records of 512 bytes, as some clients are configured."""

_HEADER_BYTES: Final = 5
_HANDSHAKE: Final = b"\x16"
_CLIENT_HELLO: Final = b"\x01"
_MESSAGE_HEADER_BYTES: Final = 4


def missing_bytes(data: bytes) -> int:
    """Returns how many more bytes OpenSSL needs at least for a whole ClientHello.

    OpenSSL reads whole records. Returns 0 also for another protocol or message: OpenSSL refuses it without computing.
    Raises RecordsExceeded for a ClientHello of more than MAX_RECORDS records or PEEKED_BYTES.
    """
    message = b""
    start = 0
    for _ in range(MAX_RECORDS):
        if data[start : start + 1] not in {b"", _HANDSHAKE}:
            return 0
        body = start + _HEADER_BYTES
        if len(data) < body:
            return body - len(data)
        end = body + int.from_bytes(data[body - 2 : body])
        if end > PEEKED_BYTES:
            raise RecordsExceeded(f"a ClientHello of more than {PEEKED_BYTES} bytes")
        message += data[body:end]
        if message[:1] not in {b"", _CLIENT_HELLO}:
            return 0
        if len(data) < end:
            return end - len(data)
        if _is_whole(message):
            return 0
        start = end
    raise RecordsExceeded(f"a ClientHello in more than {MAX_RECORDS} records")


def _is_whole(message: bytes) -> bool:
    if len(message) < _MESSAGE_HEADER_BYTES:
        return False
    return len(message) >= _MESSAGE_HEADER_BYTES + int.from_bytes(message[1:_MESSAGE_HEADER_BYTES])
