"""Sockets of listeners."""

import asyncio
import errno
import socket
import time
from typing import Final

RELEASE_S: Final = 2.0
"""How long workers of a killed gateway may take to close their listeners."""
_POLL_S: Final = 0.05


def bind_socket(address: str, port: int) -> socket.socket:
    """Returns a bound socket that does not listen yet. Raises OSError that names the address."""
    return _bind(address, port, is_shared=False)


async def bind_shared_sockets(address: str, port: int, count: int, wait_s: float = RELEASE_S) -> list[socket.socket]:
    """Returns `count` sockets bound to one address (SO_REUSEPORT): the kernel spreads new connections over them.

    Raises OSError that names the address when another program listens there for longer than `wait_s`. Without this
    check, the kernel would give a part of the connections to a second relay that was started by mistake.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            with bind_socket(address, port) as trial:
                bound_port = trial.getsockname()[1]
            break
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise
        await asyncio.sleep(_POLL_S)
    sockets: list[socket.socket] = []
    try:
        sockets += (_bind(address, bound_port, is_shared=True) for _ in range(count))
    except BaseException:
        for each in sockets:
            each.close()
        raise
    return sockets


def _bind(address: str, port: int, *, is_shared: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {address}:{port}: {error.strerror}") from error
    return sock
