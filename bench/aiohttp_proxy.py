"""The gateway most people would write: aiohttp on both sides, middleware, PyJWT, prometheus_client, logging.

It does the same work as the relay in the usual way, so that the benchmark says what the relay's own protocol is worth.
    python bench/aiohttp_proxy.py SETTINGS.json            # on asyncio, as aiohttp.web.run_app runs it
    python bench/aiohttp_proxy.py SETTINGS.json uvloop     # the same on uvloop
"""

import asyncio
import json
import logging
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import uvloop
from aiohttp import web
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from prometheus_client import Counter, Histogram

REQUESTS = Counter("requests", "exchanges", ["api", "org_code", "status"])
SECONDS = Histogram("seconds", "time of an exchange", ["api", "org_code"])
DROPPED = {"authorization", "host", "connection", "content-length", "transfer-encoding", "keep-alive"}
TRAN_ID_LENGTH = 25
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger("access")


class Bucket:
    """A token bucket: requests per second, and a burst."""

    def __init__(self, per_second: float, burst: float) -> None:
        self.per_second, self.burst = per_second, burst
        self.tokens, self.since = burst, time.monotonic()

    def spend(self) -> bool:
        """Takes one token; returns False when none is left."""
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.since) * self.per_second)
        self.since = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Refused(Exception):
    """A response of the gateway itself."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Proxy:
    """Policy and forwarding."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.key = load_pem_public_key(Path(settings["public_key"]).read_bytes())
        self.remembered: dict[str, dict[str, Any]] = {}
        self.buckets: dict[tuple[str, str], Bucket] = {}
        self.session: aiohttp.ClientSession | None = None

    def claims(self, token: str) -> dict[str, Any]:
        """Returns the claims of a token; they are verified once and cached until exp."""
        claims = self.remembered.get(token)
        if claims is None:
            try:
                claims = jwt.decode(
                    token,
                    self.key,
                    algorithms=["RS256"],
                    issuer=self.settings["issuer"],
                    audience=self.settings["operator"],
                    options={"require": ["exp", "iat", "jti", "iss", "aud"]},
                )
            except jwt.PyJWTError as error:
                raise Refused(401) from error
            self.remembered[token] = claims
        if claims["exp"] <= time.time():
            self.remembered.pop(token, None)
            raise Refused(401)
        return claims

    @web.middleware
    async def record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Metrics and one line for each exchange."""
        begun = time.monotonic()
        try:
            response = await handler(request)
        except Refused as refused:
            body = {"rsp_code": f"{refused.status}01", "rsp_msg": "refused"}
            response = web.json_response(body, status=refused.status)
        except (aiohttp.ClientError, TimeoutError):
            response = web.json_response({"rsp_code": "50003", "rsp_msg": "provider"}, status=500)
        took = time.monotonic() - begun
        api, org = request.get("api", ""), request.get("org_code", "")
        REQUESTS.labels(api, org, str(response.status)).inc()
        SECONDS.labels(api, org).observe(took)
        line = {
            "time": time.time(),
            "api": api,
            "org_code": org,
            "status": response.status,
            "seconds": round(took, 6),
            "tran_id": request.headers.get("x-api-tran-id", ""),
            "address": request.remote,
        }
        log.info(json.dumps(line))
        return response

    @web.middleware
    async def authorize(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Authenticates, authorizes and limits the caller."""
        route = self.settings["routes"].get(f"{request.method} {request.path}")
        if route is None:
            raise Refused(404)
        request["api"], scope = route
        self.check_peer(request)
        if len(request.headers.get("x-api-tran-id", "")) != TRAN_ID_LENGTH:
            raise Refused(400)
        request["org_code"] = org = await self.org_code(request)
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer":
            raise Refused(401)
        claims = self.claims(token)
        if scope not in claims["scope"].split() or claims["org_code"] != org:
            raise Refused(403)
        pair = (claims["aud"], org)
        if pair not in self.buckets:
            self.buckets[pair] = Bucket(self.settings["rate"], self.settings["rate"])
        if not self.buckets[pair].spend():
            raise Refused(429)
        return await handler(request)

    def check_peer(self, request: web.Request) -> None:
        """The client certificate, where there is one, must carry the operator's SERIALNUMBER."""
        peer = request.transport.get_extra_info("peercert") if request.transport else None
        if peer:
            subject = {name: value for rdn in peer["subject"] for name, value in rdn}
            if subject.get("serialNumber") != self.settings["serial"]:
                raise Refused(401)

    async def org_code(self, request: web.Request) -> str:
        """Returns the org_code of the query (GET) or of the body (POST)."""
        if request.method == "GET":
            return request.query.get("org_code", "")
        try:
            return str((await request.json())["org_code"])
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(400) from error

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Forwards the request to the institution."""
        base = self.settings["providers"].get(request["org_code"])
        if base is None or self.session is None:
            raise Refused(404)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in DROPPED}
        async with self.session.request(
            request.method,
            base + request.path_qs,
            headers=headers,
            data=await request.read() or None,
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in DROPPED}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    async def sessions(self, _app: web.Application) -> Any:
        """Keeps one client session while the application runs."""
        connector = aiohttp.TCPConnector(limit=1024)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=15)) as session:
            self.session = session
            yield


def contexts(settings: dict[str, Any]) -> dict[str, ssl.SSLContext | None]:
    """Returns the TLS context of each listener."""
    contexts: dict[str, ssl.SSLContext | None] = {"plain": None}
    for name in ("tls", "mtls"):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(settings["certificate"], settings["private_key"])
        if name == "mtls":
            context.load_verify_locations(settings["client_ca"])
            context.verify_mode = ssl.CERT_REQUIRED
        contexts[name] = context
    return contexts


async def main(path: str) -> None:
    """Serves until stopped."""
    settings = json.loads(await asyncio.to_thread(Path(path).read_text, encoding="utf-8"))
    logging.basicConfig(level=logging.INFO, format="%(message)s", filename=settings["log"])
    proxy = Proxy(settings)
    app = web.Application(middlewares=[proxy.record, proxy.authorize])
    app.cleanup_ctx.append(proxy.sessions)
    app.router.add_route("*", "/{path:.*}", proxy.forward)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    for name, context in contexts(settings).items():
        await web.TCPSite(runner, "127.0.0.1", settings["ports"][name], ssl_context=context).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    (uvloop if sys.argv[2:] == ["uvloop"] else asyncio).run(main(sys.argv[1]))
