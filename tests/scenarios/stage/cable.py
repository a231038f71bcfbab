"""A way to PostgreSQL that can be cut: a unix socket before the server's own."""

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path

NAME = ".s.PGSQL.5432"


class Cable:
    """Leads to the database at `url` (postgresql://USER@/NAME?host=FOLDER); `url` here is the way through it."""

    def __init__(self, url):
        place, _, server = url.partition("?host=")
        self._server = Path(server) / NAME
        self._folder = Path(tempfile.mkdtemp(prefix="cable-"))
        self.url = f"{place}?host={self._folder}"
        self._ends = set()
        self._door = None

    async def __aenter__(self):
        await self.mend()
        return self

    async def __aexit__(self, *_):
        await self.cut()
        self._folder.rmdir()

    async def mend(self):
        """Whoever comes is led through."""
        self._door = await asyncio.start_unix_server(self._lead, self._folder / NAME)

    async def cut(self):
        """Everybody is cut off in the middle of whatever is said, and nobody gets through."""
        self._door.close()
        (self._folder / NAME).unlink(missing_ok=True)  # Python 3.13 removes it with the server
        for end in list(self._ends):
            end.transport.abort()

    async def _lead(self, reader, writer):
        there, here = await asyncio.open_unix_connection(self._server)
        ends = {writer, here}
        self._ends |= ends
        try:
            await asyncio.gather(_pour(reader, here), _pour(there, writer))
        finally:
            self._ends -= ends


async def _pour(reader, writer):
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
