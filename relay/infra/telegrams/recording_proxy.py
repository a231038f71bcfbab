"""A TCP proxy between a client and a core that hands on every byte, and shows it to a recorder."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from relay.policy.settings.core import split_address

Record = Callable[[int, bool, bytes], None]
"""Receives the number of the connection, whether the client has sent them, and the bytes."""

_CHUNK: Final = 65_536
_CONNECT_S: Final = 10.0


class RecordingProxy:
    """Accepts connections at `listen` and opens one to `core` for each.

    `open` begins, `address` is where it listens, `close` ends all connections. `failures` are causes of connections
    to the core that could not be opened.
    """

    def __init__(self, listen: str, core: str, record: Record) -> None:
        self._listen = listen
        self._core = core
        self._record = record
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.failures: list[str] = []

    @property
    def address(self) -> str:
        """Host and port, with the number that the system chose for port 0."""
        assert self._server is not None  # noqa: S101 - the caller has opened it
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def open(self) -> None:
        """Begins to listen. Raises OSError."""
        host, _, port = self._listen.rpartition(":")
        self._server = await asyncio.start_server(self._serve, host.strip("[]"), int(port))

    async def close(self) -> None:
        """Stops listening and ends all connections."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.connections += 1
        number = self.connections
        try:
            async with asyncio.timeout(_CONNECT_S):
                core_reader, core_writer = await asyncio.open_connection(*split_address(self._core))
        except (OSError, TimeoutError) as error:
            self.failures.append(getattr(error, "strerror", None) or type(error).__name__)
            writer.close()
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, core_writer, number, is_client=True))
                group.create_task(self._copy(core_reader, writer, number, is_client=False))
        finally:
            writer.close()
            core_writer.close()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, *, is_client: bool
    ) -> None:
        """Hands on one direction until its end."""
        with suppress(ConnectionError):
            while data := await reader.read(_CHUNK):
                self._record(number, is_client, data)
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
