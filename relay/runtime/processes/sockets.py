"""Sockets of listeners."""

import asyncio
import errno
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from relay.infra.process.port_owner import find_listening_pid

RELEASE_S: Final = 2.0
"""How long workers of a killed gateway may take to close their listeners."""
_POLL_S: Final = 0.05


def bind_socket(address: str, port: int, setting: str) -> socket.socket:
    """Returns a bound socket that does not listen yet.

    Raises OSError that names the `setting`, the address, and the process that listens there.
    """
    with name_owner(address, port, setting):
        return _bind(address, port, is_shared=False)


@contextmanager
def name_owner(address: str, port: int, setting: str) -> Iterator[None]:
    """Runs a block that binds or listens. Raises OSError like `bind_socket`.

    Two sockets may be bound to one address while none listens there: a second relay that starts at the same time as the
    first is refused when it listens.
    """
    try:
        yield
    except OSError as error:
        raise _name_owner(error, address, port, setting) from error


async def bind_shared_sockets(
    address: str, port: int, count: int, setting: str, wait_s: float = RELEASE_S
) -> list[socket.socket]:
    """Returns `count` sockets bound to one address (SO_REUSEPORT): the kernel spreads new connections over them.

    Raises OSError like `bind_socket` when another program listens there for longer than `wait_s`. Without this check,
    the kernel would give a part of the connections to a second relay that was started by mistake.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            with _bind(address, port, is_shared=False) as trial:
                bound_port = trial.getsockname()[1]
            break
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise _name_owner(error, address, port, setting) from error
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
    except BaseException:
        sock.close()
        raise
    return sock


def _name_owner(error: OSError, address: str, port: int, setting: str) -> OSError:
    """Returns the error with setting and address; for an address in use with its process and what to do."""
    problem = f"{setting}: cannot listen on {address}:{port}: {error.strerror or error}"
    if error.errno == errno.EADDRINUSE:
        pid = find_listening_pid(address, port)
        owner = "another program" if pid is None else f"process {pid}"
        problem += f" by {owner}: stop it first, or set another port"
    return OSError(error.errno or errno.EINVAL, problem)
