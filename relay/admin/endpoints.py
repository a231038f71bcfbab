"""Endpoints of the admin port: `/healthz` (liveness), `/readyz` (readiness), `/metrics` (Prometheus).

`/jwks.json` publishes the public keys that verify the relay's tokens (RFC 7517), for audits.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

STALLED_S: Final = 10.0
"""A process whose event loop is blocked for this long fails its liveness check and must be restarted."""


def build_admin_application(
    registry: CollectorRegistry,
    find_missing: Callable[[], list[str]],
    jwks: Callable[[], Mapping[str, Any]],
    stalled_s: Callable[[], float],
) -> web.Application:
    """Builds the admin application. `find_missing` names what is missing for readiness; `jwks` returns public keys.

    `stalled_s` returns for how many seconds the event loop of the calls has been blocked.
    """
    app = web.Application()

    async def healthz(_request: web.Request) -> web.Response:
        is_stalled = stalled_s() >= STALLED_S
        return web.json_response({"status": "stalled" if is_stalled else "ok"}, status=503 if is_stalled else 200)

    async def readyz(_request: web.Request) -> web.Response:
        missing = find_missing()
        return web.json_response(
            {"status": "unready" if missing else "ok", "missing": missing}, status=503 if missing else 200
        )

    async def metrics(_request: web.Request) -> web.Response:
        text = await asyncio.to_thread(generate_latest, registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def keys(_request: web.Request) -> web.Response:
        return web.json_response(jwks(), content_type="application/jwk-set+json")

    handlers = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics, "/jwks.json": keys}
    app.add_routes([web.get(path, handler) for path, handler in handlers.items()])
    return app
