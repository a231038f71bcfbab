"""Serves the core of a bank over TCP: each connection is a line (회선)."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from mydata_sandbox.telegram_core.core import TelegramCore
from mydata_sandbox.telegram_core.messages import LENGTH


@asynccontextmanager
async def serve_core(core: TelegramCore, listener: socket.socket) -> AsyncIterator[None]:
    """Listens on a bound socket until the block ends, and closes all lines then."""
    numbers = itertools.count(1)
    lines: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio starts a task for each connection
        lines.add(task)
        try:
            await _serve_line(core, reader, writer, numbers)
        finally:
            lines.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, sock=listener)
    try:
        yield
    finally:
        server.close()
        for task in lines:
            task.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


async def _serve_line(
    core: TelegramCore, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, numbers: Iterator[int]
) -> None:
    """Answers the telegrams of a line until it is closed. A length that is no number closes it."""
    writer.write(core.open_line_test(next(numbers)))
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ValueError):
        while True:
            length = await reader.readexactly(LENGTH)
            response = core.respond(length + await reader.readexactly(int(length) - LENGTH))
            if response is not None:
                writer.write(response)
                await writer.drain()
