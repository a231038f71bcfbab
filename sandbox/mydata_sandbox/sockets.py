"""Sockets of the sandbox: bound before anything listens, so that their ports are known."""

import socket

from mydata_sandbox.parties import LOOPBACK


def bind_socket(port: int = 0, address: str = LOOPBACK) -> socket.socket:
    """Returns a bound socket. It gets a free port when `port` is in use. Raises OSError for a foreign address."""
    listener = _open_socket(address)
    try:
        listener.bind((address, port))
    except OSError:
        listener.bind((address, 0))
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
