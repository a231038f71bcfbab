"""Limits TLS records that carry no data: a KeyUpdate message costs 15 us, and a flood of them held the loop for 4 s."""

import ssl
from typing import Any, ClassVar, Final, Self

from relay.wire.tls.bounded_input import BoundedInput
from relay.wire.tls.errors import RecordsExceeded

CLOSING_BYTES: Final = 64 * 1024
"""Bytes accepted from a peer while its connection closes. PERF: records of one byte cost 300 ms a second."""

HANDSHAKE_BYTES: Final = 32 * 1024
"""Bytes of a handshake accepted from a server: its certificates and the names of the CAs that it trusts."""

CALLER_HANDSHAKE_BYTES: Final = 12 * 1024
"""Bytes of a handshake accepted from a client; four certificates of RSA-4096 have 8 KB.

PERF: OpenSSL accepts 100 KB of certificates and parses all of them before it refuses the first: 70 ms of the loop.
"""


class BoundedTls(ssl.SSLObject):
    """A TLS connection that fails if its peer sends too many records without data; set it as `sslobject_class`.

    OpenSSL gets received bytes in slices, so that records are counted in between. PERF: after the handshake the event
    loop calls `read`, `pending` and `write` only: the first two are those of BoundedInput, the last is OpenSSL's own.
    """

    handshake_bytes: ClassVar[int] = HANDSHAKE_BYTES
    _input: BoundedInput
    _outgoing: ssl.MemoryBIO
    _handshake_read: int

    @classmethod
    def _create(cls, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **kwargs: Any) -> Self:
        part = ssl.MemoryBIO()
        tls: Self = super()._create(part, outgoing, *args, **kwargs)  # type: ignore[misc]
        openssl = tls._sslobj  # type: ignore[attr-defined]
        tls._input = BoundedInput(incoming, part, openssl.read, openssl.pending)
        tls.read, tls.pending, tls.write = tls._input.read, tls._input.pending, openssl.write  # type: ignore[method-assign, assignment]
        tls._outgoing = outgoing
        tls._handshake_read = 0
        return tls

    def do_handshake(self) -> None:
        """Continues the handshake. Its records are not counted. Raises RecordsExceeded if it is too long."""
        while True:
            try:
                super().do_handshake()
            except ssl.SSLWantReadError:
                if self._handshake_read >= self.handshake_bytes:
                    raise RecordsExceeded("handshake is too long") from None
                taken = self._input.hand_over_handshake()
                if not taken:
                    raise
                self._handshake_read += taken
            else:
                return

    def unwrap(self) -> None:
        """Closes the TLS connection. From now on at most CLOSING_BYTES are accepted from the peer."""
        self._input.limit(CLOSING_BYTES)
        while True:
            try:
                super().unwrap()
            except ssl.SSLWantReadError:
                if not self._input.hand_over():
                    raise
            else:
                return
