"""Applications behind sockets, where every answer is our own.

To what is no HTTP aiohttp answers by itself: it repeats what came, names its version and Python's, and logs it too. No
hook of applications sees that answer (aiohttp issues 3287, 9882), so connections are of a class of ours that writes it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiohttp import StreamReader, web

from relay.endpoint.connections.limits import ConnectionTimeouts
from relay.endpoint.connections.timed import TimedConnection
from relay.wire.watch import Watch

_log = logging.getLogger(__name__)

_TICK_S: Final = 0.1
"""How often deadlines of connections are looked at."""
_TIMES: Final = ConnectionTimeouts()

TurnedAway = Callable[[int], web.Response]
"""Makes the answer to what never reached an endpoint, by the HTTP status that aiohttp would give it."""


class _Connection(TimedConnection):
    """One connection."""

    __slots__ = ("_turned_away",)

    def __init__(self, server: "_Server", turned_away: TurnedAway, **options: Any) -> None:
        super().__init__(server, server.times, server.watch, **options)
        self._turned_away = turned_away

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it repeats what came
    ) -> web.StreamResponse:
        """The last answer of a connection. Raises ConnectionError when another one has begun."""
        harmless = status < web.HTTPInternalServerError.status_code or self.transport is None  # the caller is gone
        level = logging.DEBUG if harmless else logging.ERROR
        _log.log(level, "a connection ends with %d (%s)", status, type(exc).__name__)
        if request.writer.output_size:
            raise ConnectionError("an answer has begun")
        answer = self._turned_away(status)
        answer.force_close()
        return answer


class _Server(web.Server):
    """Makes connections; requests go where `inner` has them go."""

    def __init__(
        self,
        inner: web.Server,
        turned_away: TurnedAway,
        times: ConnectionTimeouts,
        options: dict[str, Any],
        *,
        cancels: bool,
    ) -> None:
        super().__init__(self._answered, request_factory=self._begun, handler_cancellation=cancels)
        self._inner = inner
        self._turned_away = turned_away
        self._options = options
        self.times = times
        self.watch = Watch()

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self._turned_away, **self._options)

    def _begun(self, message: Any, payload: StreamReader, protocol: web.RequestHandler, *others: Any) -> Any:
        if isinstance(protocol, TimedConnection):
            protocol.begin(payload)
        return self._inner.request_factory(message, payload, protocol, *others)

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._inner.request_handler(request)
        except web.HTTPException as refused:  # of a path nobody has, or `Expect`, which it repeats
            return self._turned_away(refused.status)


@asynccontextmanager
async def served(
    app: web.Application,
    turned_away: TurnedAway,
    *,
    times: ConnectionTimeouts = _TIMES,
    shutdown_s: float = 5.0,
    cancels: bool = False,
    **told: Any,
) -> AsyncIterator[web.ServerRunner]:
    """A runner of `app`, for sites, as long as the block lasts; then calls have `shutdown_s` to end.

    With `cancels` a call ends when its connection does: a transaction that has begun is then undone or was committed.
    `told` is what aiohttp's connections are told: limits, who writes access records.
    """
    inner = web.AppRunner(app)
    await inner.setup()
    try:
        if inner.server is None:
            raise RuntimeError("aiohttp has set up no server")
        server = _Server(inner.server, turned_away, times, told, cancels=cancels)
        ticking = asyncio.get_running_loop().create_task(_tick(server.watch))
        runner = web.ServerRunner(server, shutdown_timeout=shutdown_s)
        await runner.setup()
        try:
            yield runner
        finally:
            await runner.cleanup()
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking
    finally:
        await inner.cleanup()


async def _tick(watch: Watch) -> None:
    """Look at the deadlines of connections, until cancelled."""
    while True:
        await asyncio.sleep(_TICK_S)
        try:
            watch.tick(asyncio.get_running_loop().time())
        except Exception:  # every time-out depends on this task
            _log.exception("looking after time-outs failed")
