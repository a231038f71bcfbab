"""Serves the core of an insurer over HTTP, in EUC-KR."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from mydata_sandbox.json_core.core import CoreRequest, JsonCore

CHARSET: Final = "euc-kr"


def build_application(core: JsonCore) -> web.Application:
    """Returns the core as an aiohttp application."""

    async def handle(request: web.Request) -> web.Response:
        raw = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = json.loads(raw.decode(CHARSET)) if raw else {}
        response = core.respond(CoreRequest(request.method, request.path, dict(request.query), headers, body))
        content = json.dumps(response.body, ensure_ascii=False).encode(CHARSET)
        content_type = {"Content-Type": f"application/json; charset={CHARSET}"}
        return web.Response(status=response.status, body=content, headers=content_type)

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", handle)
    return app


@asynccontextmanager
async def serve_json_core(core: JsonCore, listener: socket.socket) -> AsyncIterator[None]:
    """Serves on a bound socket until the block ends."""
    runner = web.AppRunner(build_application(core), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()
