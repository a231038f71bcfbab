"""Options and state of the socket below a transport."""

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Final

_TLS_AHEAD: Final = 16 * 1024
"""Bytes that a TLS transport and its socket may each read ahead. By default a stalled response fills 1 MB: the 256 KiB
of uvloop's TLS transport, and the receive buffer that Linux lets grow."""

RECEIVE_BYTES: Final = 16 * 1024
"""Receive buffer of a caller's socket. One read takes all of it: 6 MB of small TLS records with Linux's default."""

SEND_BYTES: Final = 128 * 1024
"""Send buffer of a caller's socket. Linux lets it grow to 4 MB: 250 callers that read nothing held 940 MB."""

IsReadable = Callable[[int], object]
"""Returns a true value if the socket can be read. The argument is the time to wait in milliseconds, 0 for none."""


def limit_socket_buffers(listening: socket.socket) -> None:
    """Limits the kernel buffers of accepted sockets, which inherit them. Call this before `listen`."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)


def report_unreadable(_: int) -> object:
    """Returns a false value: there is no socket."""
    return ()


def build_readable(transport: asyncio.BaseTransport) -> IsReadable:
    """Returns a function that asks the kernel whether the transport's socket can be read. PERF: 0.6 us."""
    connected = transport.get_extra_info("socket")
    if connected is None:
        return report_unreadable
    poll = select.poll()
    poll.register(connected.fileno(), select.POLLIN)
    return poll.poll


def limit_tls_read_ahead(transport: asyncio.BaseTransport) -> None:
    """Limits what TLS decrypts ahead of its protocol; does nothing without TLS."""
    limit = getattr(transport, "set_read_buffer_limits", None)
    if limit is not None:
        limit(high=_TLS_AHEAD)


def open_tls_socket(family: int, kind: int, protocol: int) -> socket.socket:
    """Returns a socket to be connected for TLS, with a small receive buffer.

    Linux must know the buffer before it connects: a peer on the same machine sends segments of half the window that it
    was first offered. If they do not fit any more, each waits 200 ms for a timer.
    """
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _TLS_AHEAD)
    return opened
