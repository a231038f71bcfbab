"""A scripted portal over mutual TLS on loopback, and a client of it with a simulated clock."""

import itertools
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web
from mydata_sandbox.credentials.authority import CertificateAuthority

from relay.infra.portal.client import Effects, PortalClient
from relay.infra.upstream.tls import build_client_context, build_server_context
from relay.policy.settings.portal import OfferedCredential, PortalCredential, PortalSettings, PortalTimeouts

RELAY = "RLAY000001"
SECRET = "theSecretOfTheRelayAtThePortal0000000000000000000"
TOKEN = "/mgmts/oauth/2.0/token"
HASH = "$scrypt$ln=12,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "h" * 43


class FakePortal:
    """Takes one entry of `script` for each call of a path; without one it responds with success.

    An entry is a body, a status, or a handler of the request. `requests` records them.
    """

    def __init__(self):
        self.script = {}
        self.requests = []
        self.bodies = {
            "/v1/mgmts/orgs": {"rsp_code": "00000", "rsp_msg": "성공", "org_cnt": "0", "org_list": []},
            "/v1/mgmts/services": {"rsp_code": "00000", "rsp_msg": "성공", "org_cnt": "0", "org_list": []},
            "/v1/mgmts/statistics/provider": {"rsp_code": "00000", "rsp_msg": "성공"},
        }
        self.tokens = itertools.count(1)
        self.base_url = ""

    def paths(self):
        return [request["path"] for request in self.requests]

    def of(self, path):
        return [request for request in self.requests if request["path"] == path]

    async def answer(self, request):
        self.requests.append(
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
        entry = queue.pop(0) if queue else None
        if callable(entry):
            return await entry(request)
        if isinstance(entry, int):
            return self.json(request, {"rsp_code": "50001", "rsp_msg": "x"}, entry)
        return self.json(request, self.success(request.path) if entry is None else entry)

    def success(self, path):
        if path == TOKEN:
            number = next(self.tokens)
            return {"token_type": "Bearer", "access_token": f"token-{number}", "expires_in": 3600, "scope": "manage"}
        return self.bodies[path]

    def json(self, request, body, status=200, **headers):
        headers = {"x-api-tran-id": request.headers["x-api-tran-id"]} | headers
        return web.json_response(body, status=status, headers=headers)


class FakeClock:
    """Time that moves only when set or slept; random bytes that never repeat."""

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
def certificates(tmp_path_factory):
    """Certificates of the portal and of the relay, and another CA."""
    folder = tmp_path_factory.mktemp("portal")
    ca = CertificateAuthority.make(folder, "ca", "Portal Test CA", datetime.now(UTC))
    other_ca = CertificateAuthority.make(folder, "other_ca", "Other Test CA", datetime.now(UTC))
    return {
        "ca": str(ca.certificate),
        "other_ca": str(other_ca.certificate),
        "portal": ca.issue("portal", serial_number="999-82-03001"),
        "relay": ca.issue("relay", serial_number="999-81-00001"),
    }


@pytest.fixture
async def portal(certificates):
    """The fake portal, listening."""
    fake = FakePortal()
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{tail:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    pair = certificates["portal"]
    context = build_server_context(str(pair.certificate), str(pair.private_key), certificates["ca"])
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    fake.base_url = f"https://localhost:{runner.addresses[0][1]}"
    yield fake
    await runner.cleanup()


@pytest.fixture
def clock():
    """Time and randomness of the client."""
    return FakeClock()


@pytest.fixture
def settings_for():
    """Builds the settings of a portal at a base URL."""

    def build(base_url, answer_bytes=1_048_576, **timeouts):
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

    return build


@pytest.fixture
def client_of(certificates, clock, settings_for):
    """Opens a client of a portal that trusts `ca`; `.calls` are its records."""

    @asynccontextmanager
    async def open_client(portal, *, ca="ca", has_certificate=True, **changed):
        calls = []

        async def record_call(call):
            calls.append(call)

        pair = certificates["relay"]
        files = (str(pair.certificate), str(pair.private_key)) if has_certificate else (None, None)
        context = build_client_context(certificates[ca], *files) if portal.base_url.startswith("https") else None
        settings = settings_for(portal.base_url, **changed)
        client = PortalClient(settings, RELAY, context, lambda: SECRET, record_call, clock.effects)
        client.calls = calls
        try:
            yield client
        finally:
            await client.close()

    return open_client
