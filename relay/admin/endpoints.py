"""The private port: `/healthz` (the process lives), `/readyz` (it may be sent calls), `/metrics` (for Prometheus).

And `/jwks.json`: the public keys that verify the relay's tokens (RFC 7517), for whoever audits them.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

STALLED_S: Final = 10.0
"""A process whose loop has not turned for so long does not live: it is to be started anew."""


def application(
    registry: CollectorRegistry,
    unready: Callable[[], list[str]],
    jwks: Callable[[], Mapping[str, Any]],
    stalled_s: Callable[[], float],
) -> web.Application:
    """The admin application. `unready` names what is missing before calls may come; `jwks` are the public keys.

    `stalled_s` tells for how many seconds the loop of the calls has stood still.
    """
    app = web.Application()

    async def healthz(_request: web.Request) -> web.Response:
        stalled = stalled_s() >= STALLED_S
        return web.json_response({"status": "stalled" if stalled else "ok"}, status=503 if stalled else 200)

    async def readyz(_request: web.Request) -> web.Response:
        missing = unready()
        return web.json_response(
            {"status": "unready" if missing else "ok", "missing": missing}, status=503 if missing else 200
        )

    async def metrics(_request: web.Request) -> web.Response:
        text = await asyncio.to_thread(generate_latest, registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def keys(_request: web.Request) -> web.Response:
        return web.json_response(jwks(), content_type="application/jwk-set+json")

    pages = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics, "/jwks.json": keys}
    app.add_routes([web.get(path, page) for path, page in pages.items()])
    return app
