"""The Unix socket of `gateway.socket`: `relay restart` asks a running gateway to replace its workers."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from relay.infra.authority.unix_listener import UnixListener
from relay.runtime.processes.supervisor import ChildNotReady

REQUEST: Final = b"restart\n"
DONE: Final = "done"
FAILED: Final = "failed: "
REQUEST_S: Final = 5.0

Restart = Callable[[Callable[[str], object]], Awaitable[None]]
"""Replaces the workers and reports each as a line of text. Raises ChildNotReady or OSError."""


class RestartSocket:
    """Accepts requests at `path`, which only the user of the gateway may open (mode 0600).

    A request is the line `restart`. The answer has one line for each worker, then `done` or `failed: REASON`.
    """

    def __init__(self, path: Path, restart: Restart) -> None:
        self._path = path
        self._restart = restart
        self._listener: UnixListener | None = None
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listens. Raises OSError."""
        self._listener = await UnixListener.open(self._path, setting="gateway.socket")
        self._server = await asyncio.start_unix_server(self._handle, sock=self._listener.bind())

    async def close(self) -> None:
        """Listens no more."""
        if self._server is not None:
            self._server.close()
        if self._listener is not None:
            self._listener.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def report(line: str) -> None:
            if not writer.is_closing():
                writer.write(f"{line}\n".encode())

        try:
            async with asyncio.timeout(REQUEST_S):
                request = await reader.readline()
            if request == REQUEST:
                report(await self._run(report))
            await writer.drain()
        except (OSError, ValueError):  # the peer has ended, sends nothing, or a line without end
            writer.transport.abort()
        finally:
            writer.close()

    async def _run(self, report: Callable[[str], object]) -> str:
        """Returns the last line of the answer."""
        try:
            await self._restart(report)
        except (ChildNotReady, OSError) as error:
            return FAILED + " ".join(str(error).split())
        except asyncio.CancelledError:
            return FAILED + "the gateway stops"
        return DONE
