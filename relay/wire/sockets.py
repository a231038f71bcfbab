"""What the socket below a transport is asked and told."""

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Final

_TLS_AHEAD: Final = 16 * 1024
"""Bytes a TLS transport and its socket may each read ahead; left alone they hold 1 MB of a stalled answer."""

RECEIVE_BYTES: Final = 16 * 1024
"""Receive buffer of a caller's socket. A read takes all that is in it: 6 MB of small TLS records by Linux's default."""

SEND_BYTES: Final = 128 * 1024
"""Send buffer of a caller's socket. Linux lets it grow to 4 MB, which callers who read nothing fill: 940 MB of 250."""

Readable = Callable[[int], object]
"""Returns something true when the socket can be read; takes milliseconds to wait, 0 for none."""


def bound_accepted(listening: socket.socket) -> None:
    """Bound what the kernel keeps for each accepted socket; they inherit it. Call it before `listen`."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)


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
