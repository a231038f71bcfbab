"""Sockets connected to a host that may have several addresses."""

import asyncio
import socket
from typing import Final

import aiohappyeyeballs

DELAY_S: Final = 0.25
"""So long an address has to take the connection before the next one is tried beside it (RFC 8305 5)."""

ADDRESSES_MOST: Final = 16
"""Addresses of one name that are tried."""


async def open_socket(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """Return a socket connected to the first address of a host that takes it. Raises OSError when none does.

    An address that does not answer costs a quarter of a second, not the whole time to connect.
    """
    rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return await aiohappyeyeballs.start_connection(rows[:ADDRESSES_MOST], happy_eyeballs_delay=DELAY_S, loop=loop)
