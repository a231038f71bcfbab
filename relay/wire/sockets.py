"""What the socket below a transport is asked and told."""

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Final

_TLS_AHEAD: Final = 16 * 1024
"""Bytes a TLS transport and its socket may each read ahead; left alone they hold 1 MB of a stalled answer."""

Readable = Callable[[int], object]
"""Returns something true when the socket can be read; takes milliseconds to wait, 0 for none."""


def never_readable(_: int) -> object:
    """There is no socket."""
    return ()


def readable_of(transport: asyncio.BaseTransport) -> Readable:
    """Returns what asks the kernel whether this transport's socket can be read. PERF: 1 us each time."""
    connected = transport.get_extra_info("socket")
    if connected is None:
        return never_readable
    poll = select.poll()
    poll.register(connected.fileno(), select.POLLIN)
    return poll.poll


def limit_tls_read_ahead(transport: asyncio.BaseTransport) -> bool:
    """Limit what TLS decrypts ahead of its protocol; uvloop's default is 256 KiB. Returns whether there is TLS."""
    limit = getattr(transport, "set_read_buffer_limits", None)
    if limit is None:
        return False
    limit(high=_TLS_AHEAD)
    return True


def bound_read_ahead(transport: asyncio.BaseTransport) -> None:
    """Bound what TLS reads ahead of its protocol, and as much in its socket."""
    if limit_tls_read_ahead(transport):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _TLS_AHEAD)
