"""Shared by hostile peers: raw TLS connections from a separate address, counters, a stop event."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from hostile.world import HOSTILE_ADDRESS, LOOPBACK, World

READ_BYTES: Final = 1 << 18
PAUSE_S: Final = 0.05
"""Pause after a refused connection, so that a peer does not only fail."""


@dataclass(slots=True)
class Attack:
    """A running attack: its target, its stop event and its counters."""

    world: World
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    done: Counter[str] = field(default_factory=Counter)

    async def connect(
        self, port: int, context: ssl.SSLContext | None, server_name: str = "localhost"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Opens a connection from the hostile address."""
        name = server_name if context else None
        opened = await asyncio.open_connection(
            LOOPBACK, port, ssl=context, server_hostname=name, local_addr=(HOSTILE_ADDRESS, 0), limit=READ_BYTES
        )
        self.done["connections"] += 1
        return opened

    async def repeat(self, work: Callable[[], Awaitable[None]], at_once: int = 1) -> None:
        """Repeats `work` in `at_once` tasks until `stop` is set."""
        tasks = [asyncio.create_task(self._again(work)) for _ in range(at_once)]
        await self.stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _again(self, work: Callable[[], Awaitable[None]]) -> None:
        while not self.stop.is_set():
            try:
                await work()
            except (OSError, EOFError, asyncio.IncompleteReadError) as error:
                self.done[type(error).__name__] += 1
                await asyncio.sleep(PAUSE_S)
            await asyncio.sleep(0)


async def drain_answers(reader: asyncio.StreamReader, done: Counter[str]) -> None:
    """Reads and counts responses until the connection ends."""
    while data := await reader.read(READ_BYTES):
        done["answers"] += data.count(b"HTTP/1.1 ")


async def pipeline(attack: Attack, context: ssl.SSLContext, request: bytes, batch: int) -> None:
    """Writes requests without waiting for responses, which a task reads, until the connection ends."""
    reader, writer = await attack.connect(attack.world.gateway, context)
    reading = asyncio.create_task(drain_answers(reader, attack.done))
    try:
        while not reading.done():
            writer.write(request * batch)
            attack.done["requests"] += batch
            await writer.drain()
            await asyncio.sleep(0)
    finally:
        reading.cancel()
        writer.transport.abort()
        with suppress(asyncio.CancelledError, OSError):
            await reading
