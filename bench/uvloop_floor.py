"""Moves bytes between callers and one institution on uvloop: what any gateway on this event loop costs at least.

Run it with LISTEN_PORT and UPSTREAM_PORT. It keeps connections to the institution and looks only for the end of each
response. It expects a request, and the head of a response, in one piece, as the load and the static institution send
them. Anything else closes the connection; the load counts that as an error.
"""

import asyncio
import sys
from collections import deque
from typing import cast

import uvloop

_END = b"\r\n\r\n"
_LENGTH = b"\r\nContent-Length: "


class Upstream(asyncio.Protocol):
    """A connection to the institution. It passes each response on to `caller`."""

    def __init__(self, idle: "deque[Upstream]") -> None:
        self._idle = idle
        self._left = 0
        self.caller: asyncio.Transport
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Passes bytes on; after the last one this connection is idle again."""
        if not self._left:
            at = data.find(_LENGTH) + len(_LENGTH)
            self._left = data.find(_END) + len(_END) + int(data[at : data.find(b"\r", at)])
        self._left -= len(data)
        self.caller.write(data)
        if not self._left:
            self._idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Closes the caller's connection with this one."""
        del exc
        self.caller.close()


class Caller(asyncio.Protocol):
    """A connection of the load."""

    def __init__(self, port: int, idle: deque[Upstream]) -> None:
        self._port, self._idle = port, idle
        self._connecting: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Sends a request on an idle connection, or on a new one."""
        if not self._idle:
            self._connecting = asyncio.ensure_future(self._connect(data))
            return
        upstream = self._idle.pop()
        upstream.caller = self._transport
        upstream.transport.write(data)

    async def _connect(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, upstream = await loop.create_connection(lambda: Upstream(self._idle), "127.0.0.1", self._port)
        upstream.caller = self._transport
        upstream.transport.write(data)


async def main(listen: int, port: int) -> None:
    """Serves until the process is terminated."""
    idle: deque[Upstream] = deque()
    server = await asyncio.get_running_loop().create_server(lambda: Caller(port, idle), "127.0.0.1", listen)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), int(sys.argv[2])))
