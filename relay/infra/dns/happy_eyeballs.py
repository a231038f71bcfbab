"""Connects sockets to hosts with several addresses (Happy Eyeballs, RFC 8305)."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

import aiohappyeyeballs

DELAY_S: Final = 0.25
"""Delay before the next address is tried in parallel (RFC 8305 5)."""

MAX_ADDRESSES: Final = 16
"""Maximum number of addresses of one name that are tried."""

SocketFactory = Callable[[int, int, int], socket.socket]


async def connect_socket(
    loop: asyncio.AbstractEventLoop, host: str, port: int, open_socket: SocketFactory = socket.socket
) -> socket.socket:
    """Returns a socket connected to the first address of a host that accepts. Raises OSError if none does.

    An address that does not respond costs a quarter of a second, not the whole connect timeout. `open_socket` makes the
    sockets from family, type and protocol.
    """
    rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return await aiohappyeyeballs.start_connection(
        rows[:MAX_ADDRESSES], happy_eyeballs_delay=DELAY_S, loop=loop, socket_factory=lambda row: open_socket(*row[:3])
    )
