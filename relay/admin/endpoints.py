"""The private port: `/healthz` (the process lives), `/readyz` (it may be sent calls), `/metrics` (for Prometheus)."""

import asyncio
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest


def application(registry: CollectorRegistry, unready: Callable[[], list[str]]) -> web.Application:
    """The admin application. `unready` names what is missing before calls may come; empty when ready."""
    app = web.Application()

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        missing = unready()
        return web.json_response(
            {"status": "unready" if missing else "ok", "missing": missing}, status=503 if missing else 200
        )

    async def metrics(_request: web.Request) -> web.Response:
        text = await asyncio.to_thread(generate_latest, registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app
