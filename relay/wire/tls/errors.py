"""Errors that end a TLS connection."""

import ssl


class RecordsExceeded(ssl.SSLError):
    """The peer sent too many TLS records without data, too long a handshake, or too much data after its end.

    `connection_lost` receives it.
    """

    def __init__(self, text: str) -> None:
        super().__init__(ssl.SSL_ERROR_SSL, text)
