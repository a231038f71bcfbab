"""The first message of a TLS client, seen before TLS reads it (RFC 8446 4.1.2, 5.1)."""

from typing import Final

from relay.wire.tls_records import CALLER_HANDSHAKE_BYTES, RecordsExceeded

PEEKED_BYTES: Final = CALLER_HANDSHAKE_BYTES
"""Bytes that are looked at. OpenSSL gets no more of a client's whole handshake."""

RECORDS_MOST: Final = 8
"""Records that one ClientHello may come in. Clients send one; some send two or three on purpose."""

_HEADER_BYTES: Final = 5
_RECORD_MOST: Final = 1 << 14
_HANDSHAKE: Final = b"\x16"
_CLIENT_HELLO: Final = b"\x01"
_MESSAGE_HEADER_BYTES: Final = 4


def missing_bytes(data: bytes) -> int:
    """Return how many bytes must come at least before a ClientHello can be whole.

    The answer is 0 for a whole ClientHello, and for bytes that OpenSSL refuses without computing anything: another
    protocol, another message, a record or message beyond its bound. Raises RecordsExceeded for too many records.
    """
    message = b""
    start = 0
    for _ in range(RECORDS_MOST):
        if data[start : start + 1] not in {b"", _HANDSHAKE}:
            return 0
        body = start + _HEADER_BYTES
        if len(data) < body:
            return body - len(data)
        length = int.from_bytes(data[body - 2 : body])
        if length > _RECORD_MOST:
            return 0
        message += data[body : body + length]
        if _is_whole_or_refused(message):
            return 0
        start = body + length
        if start > len(data):
            return min(start, PEEKED_BYTES) - len(data)
    raise RecordsExceeded(f"a ClientHello in more than {RECORDS_MOST} records")


def _is_whole_or_refused(message: bytes) -> bool:
    if message[:1] not in {b"", _CLIENT_HELLO}:
        return True
    if len(message) < _MESSAGE_HEADER_BYTES:
        return False
    length = int.from_bytes(message[1:_MESSAGE_HEADER_BYTES])
    return length > PEEKED_BYTES or len(message) >= _MESSAGE_HEADER_BYTES + length
