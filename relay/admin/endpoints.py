"""Endpoints of the admin port: `/healthz` (liveness), `/readyz` (readiness), `/metrics` (Prometheus).

`/jwks.json` publishes the public keys that verify the relay's tokens (RFC 7517), for audits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from aiohttp import web
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

WriteMetrics = Callable[[], Awaitable[Iterable[bytes]]]
"""Returns the metrics as OpenMetrics text, in pieces that take little time each."""

PAUSE_S: Final = 0.001
"""Pause after each piece of a scrape.

PERF: the thread of the calls gets the interpreter in it. Without a pause this thread has it again before the other one
wakes up.
"""


def build_admin_application(
    write_metrics: WriteMetrics,
    find_missing: Callable[[], list[str]],
    jwks: Callable[[], Mapping[str, Any]],
    stalled_s: Callable[[], float],
    stall_s: float,
) -> web.Application:
    """Builds the admin application. `write_metrics` writes its metrics, `jwks` returns public keys.

    Before they are known, `jwks` returns nothing: of an empty set its readers would conclude that no token is valid.
    `find_missing` names what is missing for readiness.
    `stalled_s` returns for how many seconds the event loop of the calls has been blocked. From `stall_s` on the process
    is not alive: it must be restarted.
    """
    app = web.Application()
    formatting = asyncio.Lock()

    async def healthz(_request: web.Request) -> web.Response:
        is_stalled = stalled_s() >= stall_s
        return web.json_response({"status": "stalled" if is_stalled else "ok"}, status=503 if is_stalled else 200)

    async def readyz(_request: web.Request) -> web.Response:
        missing = find_missing()
        return web.json_response(
            {"status": "unready" if missing else "ok", "missing": missing}, status=503 if missing else 200
        )

    async def metrics(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE_LATEST})
        await response.prepare(request)
        pieces = iter(await write_metrics())
        while True:
            async with formatting:  # one piece at a time, however many scrapes there are
                piece = next(pieces, b"")
                await asyncio.sleep(PAUSE_S)
            if not piece:
                return response
            await response.write(piece)

    async def keys(_request: web.Request) -> web.Response:
        known = jwks()
        if not known:
            return web.json_response({"status": "unready", "missing": ["keys"]}, status=503)
        return web.json_response(known, content_type="application/jwk-set+json")

    handlers = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics, "/jwks.json": keys}
    app.add_routes([web.get(path, handler) for path, handler in handlers.items()])
    return app
