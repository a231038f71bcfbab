"""Runs aiohttp applications whose error responses are all our own.

aiohttp answers malformed HTTP by itself: its response repeats the input, names its version and Python's, and is logged.
Application hooks do not see that response (aiohttp issues 3287, 9882), so a connection class of ours writes it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiohttp import StreamReader, web

from relay.endpoint.connections.limits import ConnectionTimeouts
from relay.endpoint.connections.timed import TimedConnection
from relay.wire.deadline_watch import DeadlineWatch

_log = logging.getLogger(__name__)

_TICK_S: Final = 0.1
"""Seconds between checks of connection deadlines."""
_TIMEOUTS: Final = ConnectionTimeouts()

ErrorResponseBuilder = Callable[[int], web.Response]
"""Builds the response to a request that reached no endpoint, from the HTTP status that aiohttp would give it."""


class _Connection(TimedConnection):
    """A connection with our own error responses."""

    __slots__ = ("_build_error_response",)

    def __init__(self, server: "_Server", build_error_response: ErrorResponseBuilder, **options: Any) -> None:
        super().__init__(server, server.timeouts, server.watch, **options)
        self._build_error_response = build_error_response

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it repeats the input
    ) -> web.StreamResponse:
        """Returns the last response of a connection. Raises ConnectionError when a response has begun already."""
        is_harmless = (
            status < web.HTTPInternalServerError.status_code or self.transport is None
        )  # the caller disconnected
        level = logging.DEBUG if is_harmless else logging.ERROR
        _log.log(level, "connection closed by an error: status=%d error=%s", status, type(exc).__name__)
        if request.writer.output_size:
            raise ConnectionError("a response has begun")
        response = self._build_error_response(status)
        response.force_close()
        return response


class _Server(web.Server):
    """Creates connections; `inner` handles their requests."""

    def __init__(
        self,
        inner: web.Server,
        build_error_response: ErrorResponseBuilder,
        timeouts: ConnectionTimeouts,
        options: dict[str, Any],
        *,
        cancels: bool,
    ) -> None:
        super().__init__(self._handle, request_factory=self._make_request, handler_cancellation=cancels)
        self._inner = inner
        self._build_error_response = build_error_response
        self._options = options
        self.timeouts = timeouts
        self.watch = DeadlineWatch()

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self._build_error_response, **self._options)

    def _make_request(self, message: Any, payload: StreamReader, protocol: web.RequestHandler, *others: Any) -> Any:
        if isinstance(protocol, TimedConnection):
            protocol.request_received(payload)
        return self._inner.request_factory(message, payload, protocol, *others)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._inner.request_handler(request)
        except web.HTTPException as error:  # unknown path or `Expect`, which aiohttp would repeat
            return self._build_error_response(error.status)


@asynccontextmanager
async def open_runner(
    app: web.Application,
    build_error_response: ErrorResponseBuilder,
    *,
    timeouts: ConnectionTimeouts = _TIMEOUTS,
    shutdown_s: float = 5.0,
    cancels: bool = False,
    **options: Any,
) -> AsyncIterator[web.ServerRunner]:
    """Yields a runner of `app` for sites. When the block ends, calls have `shutdown_s` to finish.

    With `cancels` a call is cancelled when its connection is lost: its transaction is rolled back or was committed.
    `options` go to aiohttp's connections: size limits, access log.
    """
    inner = web.AppRunner(app)
    await inner.setup()
    try:
        if inner.server is None:
            raise RuntimeError("aiohttp set up no server")
        server = _Server(inner.server, build_error_response, timeouts, options, cancels=cancels)
        ticker = asyncio.get_running_loop().create_task(_tick(server.watch))
        runner = web.ServerRunner(server, shutdown_timeout=shutdown_s)
        await runner.setup()
        try:
            yield runner
        finally:
            await runner.cleanup()
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker
    finally:
        await inner.cleanup()


async def _tick(watch: DeadlineWatch) -> None:
    """Checks the deadlines of connections until cancelled."""
    while True:
        await asyncio.sleep(_TICK_S)
        try:
            watch.tick(asyncio.get_running_loop().time())
        except Exception:  # every timeout depends on this task
            _log.exception("connection timeout check failed")
