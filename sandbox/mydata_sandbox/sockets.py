"""Sockets of the sandbox: bound before anything listens, so that their ports are known."""

import random
import socket
from contextlib import suppress
from typing import Final

from mydata_sandbox.parties import LOOPBACK

_FREE_PORTS: Final = range(10_000, 32_000)
"""Ports to choose from. No connection takes one before something listens there: Linux connects from 32768 on."""

_ATTEMPTS: Final = 20


def bind_socket(port: int = 0, address: str = LOOPBACK) -> socket.socket:
    """Returns a bound socket. It gets a free port when `port` is 0 or in use. Raises OSError for a foreign address."""
    if port:
        with suppress(OSError):
            return bind_exactly(port, address)
    for free_port in random.sample(_FREE_PORTS, _ATTEMPTS):
        with suppress(OSError):
            return _bind_alone(free_port, address)
    return _bind_alone(0, address)


def _bind_alone(port: int, address: str) -> socket.socket:
    """Binds a socket to a port that no other socket is bound to, listening or not. Raises OSError."""
    listener = _open_socket(address)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    try:
        listener.bind((address, port))
    except OSError:
        listener.close()
        raise
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return listener


def bind_exactly(port: int, address: str = LOOPBACK) -> socket.socket:
    """Returns a socket bound to `port`. Raises OSError, which names the port, when it is in use."""
    listener = _open_socket(address)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{address}:{port}, a port of this sandbox: {error.strerror}") from error
    return listener


def build_url(listener: socket.socket, scheme: str = "https") -> str:
    """Returns the base URL of a bound socket."""
    address, port = listener.getsockname()[:2]
    return f"{scheme}://{f'[{address}]' if ':' in address else address}:{port}"


def _open_socket(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setblocking(False)
    return listener
