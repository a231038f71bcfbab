"""The alert of a failed TLS handshake.

The event loop closes the socket of a failed handshake before the alert is written. `keep_alert`, called at the failure,
duplicates the socket, so that the alert can be sent afterwards. A handshake that succeeds needs no second descriptor.
"""

import asyncio
import contextlib
import socket
from contextvars import ContextVar
from typing import Final

_LINGER_S: Final = 0.5


class Alert:
    """Holds the alert of one handshake in case it fails. `keep_alert` finds it through its context variable."""

    def __init__(self, accepted: socket.socket) -> None:
        self._accepted: socket.socket | None = accepted
        self._duplicate: socket.socket | None = None
        self._bytes = b""
        _current.set(self)

    def keep(self, alert: bytes) -> None:
        """Keeps the alert and a duplicate of the socket. Without a free descriptor the alert is dropped."""
        if self._accepted is not None and self._duplicate is None and alert:
            with contextlib.suppress(OSError):
                self._duplicate, self._bytes = self._accepted.dup(), alert

    async def send(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sends the kept alert, then lingers: a reset would destroy the alert before the peer reads it."""
        if self._duplicate is None:
            return
        with contextlib.suppress(OSError, TimeoutError):
            await loop.sock_sendall(self._duplicate, self._bytes)
            self._duplicate.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(_LINGER_S):
                while await loop.sock_recv(self._duplicate, 4096):
                    pass

    def close(self) -> None:
        """Closes the duplicate. Later failures in the same context keep nothing."""
        self._accepted = None
        if self._duplicate is not None:
            self._duplicate.close()


_current: ContextVar[Alert | None] = ContextVar("alert", default=None)


def keep_alert(alert: bytes) -> None:
    """Keeps the alert of the handshake that just failed, if an `Alert` exists in this context."""
    current = _current.get()
    if current is not None:
        current.keep(alert)
