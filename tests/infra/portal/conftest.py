"""A portal that does as it is told, over mutual TLS on loopback, and a client of it whose time stands still."""

import itertools
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web

from relay.infra.portal.client import Effects, PortalClient
from relay.infra.upstream.tls import client_context, server_context
from relay.policy.settings.portal import OfferedCredential, PortalCredential, PortalSettings, PortalTimeouts
from relay.sandbox.certificates import Authority

RELAY = "RLAY000001"
SECRET = "theSecretOfTheRelayAtThePortal0000000000000000000"
TOKEN = "/mgmts/oauth/2.0/token"
HASH = "$scrypt$ln=12,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "h" * 43


class PretendedPortal:
    """Answers by what stands in `script`, one entry for each call of a path, and well when there is none.

    An entry is a body, a status, or a handler of the request. `heard` are the requests, `used` tran_ids.
    """

    def __init__(self):
        self.script = {}
        self.heard = []
        self.bodies = {
            "/v1/mgmts/orgs": {"rsp_code": "00000", "rsp_msg": "성공", "org_cnt": "0", "org_list": []},
            "/v1/mgmts/services": {"rsp_code": "00000", "rsp_msg": "성공", "org_cnt": "0", "org_list": []},
            "/v1/mgmts/statistics/provider": {"rsp_code": "00000", "rsp_msg": "성공"},
        }
        self.tokens = itertools.count(1)
        self.base_url = ""

    def paths(self):
        return [request["path"] for request in self.heard]

    def of(self, path):
        return [request for request in self.heard if request["path"] == path]

    async def answer(self, request):
        self.heard.append(
            {
                "path": request.path,
                "query": dict(request.query),
                "method": request.method,
                "headers": request.headers.copy(),
                "text": await request.text(),
                "certificate": request.transport.get_extra_info("peercert"),
            }
        )
        queue = self.script.get(request.path, [])
        told = queue.pop(0) if queue else None
        if callable(told):
            return await told(request)
        if isinstance(told, int):
            return self.json(request, {"rsp_code": "50001", "rsp_msg": "x"}, told)
        return self.json(request, self.usual(request.path) if told is None else told)

    def usual(self, path):
        if path == TOKEN:
            number = next(self.tokens)
            return {"token_type": "Bearer", "access_token": f"token-{number}", "expires_in": 3600, "scope": "manage"}
        return self.bodies[path]

    def json(self, request, body, status=200, **headers):
        told = {"x-api-tran-id": request.headers["x-api-tran-id"]} | headers
        return web.json_response(body, status=status, headers=told)


class Stopwatch:
    """Time that only moves when it is told to, or slept; random bytes that are never the same."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []
        self.numbers = itertools.count(1)
        self.effects = Effects(lambda: 1_800_000_000.0, lambda: self.now, self.random, self.sleep)

    def random(self, size):
        return (next(self.numbers) * 0x9E3779B97F4A7C15 % 256**size).to_bytes(size)

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture(scope="session")
def papers(tmp_path_factory):
    """Certificates of the portal and of the relay, and of a stranger."""
    folder = tmp_path_factory.mktemp("portal")
    ours = Authority.make(folder, "ca", "Portal Test CA", datetime.now(UTC))
    foreign = Authority.make(folder, "foreign", "Foreign Test CA", datetime.now(UTC))
    return {
        "ca": str(ours.certificate),
        "foreign": str(foreign.certificate),
        "portal": ours.issue("portal", serial_number="999-82-03001"),
        "relay": ours.issue("relay", serial_number="999-81-00001"),
    }


@pytest.fixture
async def portal(papers):
    """The pretended portal, listening."""
    made = PretendedPortal()
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{tail:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    pair = papers["portal"]
    context = server_context(str(pair.certificate), str(pair.private_key), papers["ca"])
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    made.base_url = f"https://localhost:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
def stopwatch():
    """Time and randomness of the client."""
    return Stopwatch()


@pytest.fixture
def settings_for():
    """Makes the settings of a portal at a base URL."""

    def make(base_url, answer_bytes=1_048_576, **timeouts):
        return PortalSettings(
            org_code="PRTL000001",
            base_url=base_url,
            serial_num="999-82-03001",
            addresses=("127.0.0.1",),
            calls=PortalCredential(client_id="relayAtPortal", client_secret="env:PORTAL_SECRET"),
            offers=OfferedCredential(client_id="portalAtRelay", client_secret_hash=HASH),
            timeouts=PortalTimeouts(**({"connect_s": 5, "total_s": 20, "attempts": 4} | timeouts)),
            answer_bytes=answer_bytes,
        )

    return make


@pytest.fixture
def client_of(papers, stopwatch, settings_for):
    """Opens a client of a portal; `.calls` are its records. `ca` names whom it trusts, `known` whether it shows us."""

    @asynccontextmanager
    async def opened(portal, *, ca="ca", known=True, **changed):
        calls = []

        async def called(call):
            calls.append(call)

        pair = papers["relay"]
        shown = (str(pair.certificate), str(pair.private_key)) if known else (None, None)
        context = client_context(papers[ca], *shown) if portal.base_url.startswith("https") else None
        settings = settings_for(portal.base_url, **changed)
        client = PortalClient(settings, RELAY, context, lambda: SECRET, called, stopwatch.effects)
        client.calls = calls
        try:
            yield client
        finally:
            await client.close()

    return opened
