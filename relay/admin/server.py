"""The admin application on a loop and thread of its own: a scrape never stands between two calls."""

import asyncio
import threading
from typing import Final

from aiohttp import web

_START_S: Final = 10.0


class AdminServer:
    """Serves an aiohttp application from its own thread. `port` is the port it got."""

    def __init__(self, app: web.Application, address: str, port: int) -> None:
        self._app = app
        self._address = address
        self.port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()
        self._started = threading.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="admin", daemon=True)

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._thread.start()
        self._started.wait(_START_S)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Stop listening and end the thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(_START_S)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(self._serve())

    async def _serve(self) -> None:
        runner = web.AppRunner(self._app, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._address, self.port)
            await site.start()
            self.port = runner.addresses[0][1]
        except OSError as error:
            self._error = error
            self._started.set()
            await runner.cleanup()
            return
        self._started.set()
        await self._stopped.wait()
        await runner.cleanup()
