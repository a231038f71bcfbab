"""Messages between a parent process and its child, over a socket pair."""

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Final, Self

MAX_BYTES: Final = 64 << 20
"""Longest content of a message. The metrics of a gateway with 1,000 institutions have a few megabytes."""

MAX_SOCKETS: Final = 250
"""Sockets that a parent can pass. Linux passes at most 253 descriptors at once."""

_MAX_NAME: Final = 64
_MAX_START: Final = 1 << 16


class ChannelBroken(Exception):
    """The other side sent what is no message."""


class ControlChannel:
    """Sends and receives messages: a name and a content of bytes. Both sides are processes of the relay."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Self:
        """Returns the channel over one end of a socket pair, which it closes at its end."""
        return cls(*await asyncio.open_unix_connection(sock=end))

    def send(self, name: str, content: bytes = b"") -> None:
        """Queues a message. Does nothing once the other side has ended."""
        if not self._writer.is_closing():
            self._writer.write(b"%s %d\n%s" % (name.encode(), len(content), content))

    async def flush(self) -> None:
        """Waits until queued messages are sent. Raises OSError when the other side has ended."""
        if self._writer.transport.is_closing():
            raise ConnectionResetError("the channel is closed")
        self._writer.transport.set_write_buffer_limits(0)  # otherwise drain returns while bytes are queued
        await self._writer.drain()

    async def receive(self) -> tuple[str, bytes] | None:
        """Returns the next message, None when the other side has ended. Raises ChannelBroken."""
        try:
            head = await self._reader.readline()
            name, _, size = head.rstrip(b"\n").partition(b" ")
            if not head.endswith(b"\n"):
                return None
            if not size.isdigit() or len(name) > _MAX_NAME or int(size) > MAX_BYTES:
                raise ChannelBroken(repr(head[:_MAX_NAME]))
            return name.decode(), await self._reader.readexactly(int(size))
        except (OSError, asyncio.IncompleteReadError):
            return None

    def close(self) -> None:
        """Closes this side."""
        self._writer.close()


def send_start(end: socket.socket, content: bytes, sockets: Sequence[socket.socket]) -> None:
    """Sends the first message of the parent, with sockets that the child shares. Raises OSError."""
    socket.send_fds(end, [content], [each.fileno() for each in sockets])


def receive_start(end: socket.socket) -> tuple[bytes, list[socket.socket]]:
    """Waits for the first message. Returns its content and the sockets. Raises OSError."""
    content, descriptors, _, _ = socket.recv_fds(end, _MAX_START, MAX_SOCKETS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return content, [socket.socket(fileno=descriptor) for descriptor in descriptors]
