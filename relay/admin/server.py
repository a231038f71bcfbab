"""Serves the admin application on its own event loop and thread, so that a scrape delays no call."""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Final

from aiohttp import web

from relay.endpoint.connections.limits import ConnectionLimits, ConnectionTimeouts
from relay.endpoint.connections.site import LimitedSite
from relay.endpoint.serving import open_runner
from relay.policy.settings.scalars import Rate
from relay.policy.settings.stop_time import ADMIN_S

CONNECTIONS: Final = 256
"""Maximum number of concurrent connections to the admin port."""
_LIMITS: Final = ConnectionLimits(CONNECTIONS, 64, Rate(per_second=50, burst=200))
_TIMEOUTS: Final = ConnectionTimeouts(head_s=5.0, body_s=10.0, idle_s=75.0)
_START_S: Final = 10.0
_JOIN_S: Final = 2.0


class AdminServer:
    """Serves an aiohttp application from its own thread. `port` is the bound port."""

    def __init__(self, app: web.Application, address: str, port: int) -> None:
        self._app = app
        self._address = address
        self.port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()
        self._started = threading.Event()
        self._error: OSError | None = None
        self._bound: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="admin", daemon=True)

    def start(self, bound: socket.socket | None = None) -> None:
        """Starts to listen, on a `bound` socket if there is one. Raises OSError if the port is in use."""
        self._bound = bound
        self._thread.start()
        self._started.wait(_START_S)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Stops listening and ends the thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: the start has failed
                self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(self._serve())

    def _open_listener(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        return socket.create_server((self._address, self.port), family=family)

    async def _serve(self) -> None:
        try:
            with self._bound or self._open_listener() as listener:
                self.port = listener.getsockname()[1]
                async with open_runner(
                    self._app, _error_response, timeouts=_TIMEOUTS, shutdown_s=ADMIN_S, access_log=None
                ) as runner:
                    await LimitedSite(runner, listener, _LIMITS, label="admin").start()
                    self._started.set()
                    await self._stopped.wait()
        except OSError as error:  # also of a bound socket: another one of the same address may listen first
            self._error = error
            self._started.set()


def _error_response(status: int) -> web.Response:
    """Returns the response to a malformed request or an unknown path."""
    return web.Response(status=status, text=f"{status}\n", headers={"Server": "relay"})
