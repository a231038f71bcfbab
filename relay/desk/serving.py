"""Applications behind sockets, where every answer is our own.

To what is no HTTP aiohttp answers by itself: it repeats what came, names its version and Python's, and logs it too. No
hook of applications sees that answer (aiohttp issues 3287, 9882), so connections are of a class of ours that writes it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

_log = logging.getLogger(__name__)

TurnedAway = Callable[[int], web.Response]
"""Makes the answer to what never reached an endpoint, by the HTTP status that aiohttp would give it."""


class _Line(web.RequestHandler):
    """One connection."""

    __slots__ = ("_turned_away",)

    def __init__(self, front: web.Server, turned_away: TurnedAway, **told: Any) -> None:
        super().__init__(front, loop=asyncio.get_running_loop(), **told)
        self._turned_away = turned_away

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it repeats what came
    ) -> web.StreamResponse:
        """The last answer of a connection. Raises ConnectionError when another one has begun."""
        level = logging.DEBUG if status < web.HTTPInternalServerError.status_code else logging.ERROR
        _log.log(level, "a connection ends with %d (%s)", status, type(exc).__name__)
        if request.writer.output_size:
            raise ConnectionError("an answer has begun")
        answer = self._turned_away(status)
        answer.force_close()
        return answer


class _Front(web.Server):
    """Makes connections; requests go where `inner` has them go."""

    def __init__(self, inner: web.Server, turned_away: TurnedAway, told: dict[str, Any], *, cancels: bool) -> None:
        super().__init__(self._answered, request_factory=inner.request_factory, handler_cancellation=cancels)
        self._inner = inner
        self._turned_away = turned_away
        self._told = told

    def __call__(self) -> web.RequestHandler:
        return _Line(self, self._turned_away, **self._told)

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._inner.request_handler(request)
        except web.HTTPException as refused:  # of a path nobody has, or `Expect`, which it repeats
            return self._turned_away(refused.status)


@asynccontextmanager
async def served(
    app: web.Application, turned_away: TurnedAway, *, shutdown_s: float = 5.0, cancels: bool = False, **told: Any
) -> AsyncIterator[web.ServerRunner]:
    """A runner of `app`, for sites, as long as the block lasts; then calls have `shutdown_s` to end.

    With `cancels` a call ends when its connection does: a transaction that has begun is then undone or was committed.
    `told` is what aiohttp's connections are told: limits, times, who writes access records.
    """
    inner = web.AppRunner(app)
    await inner.setup()
    try:
        if inner.server is None:
            raise RuntimeError("aiohttp has set up no server")
        runner = web.ServerRunner(_Front(inner.server, turned_away, told, cancels=cancels), shutdown_timeout=shutdown_s)
        await runner.setup()
        try:
            yield runner
        finally:
            await runner.cleanup()
    finally:
        await inner.cleanup()
