"""A unix socket in front of another whose messages can be delayed."""

import asyncio
import shutil
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class SlowSocket:
    """Forwards connections to the unix socket `server`. Replies come `delay_s` later, in their order."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._folder = Path(tempfile.mkdtemp(prefix="slow-"))
        self.path = self._folder / "socket"
        self.delay_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def run(self):
        """Listens during the block."""
        listener = await asyncio.start_unix_server(self._forward, self.path)
        try:
            yield self
        finally:
            listener.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(self._server)
            await asyncio.gather(self._copy(reader, server_writer), self._copy_late(server_reader, writer))
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(asyncio.current_task())

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def _copy_late(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if self.delay_s:
                    loop.call_later(self.delay_s, self._write, writer, data)
                else:
                    self._write(writer, data)
        writer.close()

    def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if not writer.is_closing():
            writer.write(data)
