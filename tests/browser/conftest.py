"""A real chromium at the real pages, with a real ledger and a simulated bank behind them."""

import itertools
import json
import os
import secrets
import ssl
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio
from aiohttp import web
from mydata_sandbox.credentials.certificates import make_dev_certificates
from mydata_sandbox.institution.login import LOGINS
from mydata_sandbox.institution.provider import Provider as Institution
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.handlers import DATA_HANDLERS
from playwright.async_api import async_playwright

from relay.domain.authorization.request import AuthorizationRequest
from relay.domain.party import Service
from relay.infra.institutions.client import HttpInstitutionClient
from relay.infra.ledger import upgrading
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import create_ledger
from relay.oauth.dependencies import AuthorityDependencies, Client, OAuthSettings
from relay.oauth.flows import start_flow
from relay.oauth.pages.application import build_pages_application
from relay.policy.settings.authority import TokenSettings
from relay.policy.settings.directory import AuthenticationMethod, Provider
from relay.standard.catalogue import load_catalogue

IMAGES = Path(__file__).parents[2] / "docs" / "images"
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]
VIEWPORT = {"width": 360, "height": 740}
NAMES = {"bank": "가온상호저축은행", "card": "나루카드", "efin": "마루페이"}
CODES = {"bank": "ZBAA000001", "card": "ZCDA000001", "efin": "ZEFA000001"}


@dataclass
class Environment:
    """The authority with its pages, and an operator at `callback`. `clock.offset_s` moves the clock."""

    authority: AuthorityDependencies
    clock: SimpleNamespace
    callback: str
    trust: ssl.SSLContext

    async def open_request(self, industry="bank", login=LOGINS[0], callback=""):
        """Opens a request as 개별인증-001 does and returns its URL for the customer."""
        now = int(self.clock())
        request = AuthorizationRequest(
            request_id=secrets.token_urlsafe(32),
            provider=CODES[industry],
            operator="ZOPA000001",
            client_id="ZOPA000001SVC01",
            redirect_uri=callback or self.callback,
            app_scheme="moabogi://done",
            oauth_state="state1",
            api_tran_id="ZOPA000001M00000000000001",
            requested_at=now,
            expires_at=now + 600,
            ci=get_ci(login.customer),
        )
        await self.authority.ledger.open_request(request)
        provider = self.authority.settings.providers[request.provider]
        return start_flow(self.authority, provider, request)[1]["Location"]

    async def consent(self, industry="bank", login=LOGINS[0]):
        """Returns the particulars of the customer's consent, None without one."""
        ledger = self.authority.ledger
        consent = await ledger.find_consent(get_ci(login.customer), "ZOPA000001SVC01", CODES[industry])
        return consent and consent.particulars


def tls(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.private_key)
    return context


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def certificates(tmp_path_factory):
    return make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def serve(certificates):
    """Serves applications over TLS on loopback, as the authority process does."""
    runners = []

    async def start(app):
        runners.append(web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=1.0))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0, ssl_context=tls(certificates.relay)).start()
        return f"https://127.0.0.1:{runners[-1].addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def callback(serve):
    """The operator's callback: it shows its parameters."""

    async def show(request):
        parameters = json.dumps(dict(request.query))
        return web.Response(text=f"<!DOCTYPE html><title>operator</title><p>{parameters}</p>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/callback", show)
    return f"{await serve(app)}/callback"


async def provider_of(industry, serve, ca):
    institution = Institution(CODES[industry], industry, load_catalogue(), DATA_HANDLERS)
    return Provider(
        org_code=CODES[industry],
        name=NAMES[industry],
        industry=industry,
        base_urls=(await serve(institution.application()),),
        ca=str(ca),
        authentication=AuthenticationMethod.HOSTED,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def environment(serve, callback, certificates, tmp_path):
    url = f"sqlite:{tmp_path}/ledger.db"
    await upgrading.upgrade(url)
    ledger = create_ledger(url, Sealer([CustomerKey("first", secrets.token_bytes(32))]), 2)
    trust = ssl.create_default_context(cafile=str(certificates.ca))
    numbers = itertools.count(1)
    institutions = HttpInstitutionClient(
        "ZRLA000001", load_catalogue(), lambda _: trust, lambda: f"{next(numbers):014}"
    )
    providers = [await provider_of(industry, serve, certificates.ca) for industry in CODES]
    client = Client(Service("ZOPA000001SVC01", "모아보기", "ZOPA000001"), "")
    settings = OAuthSettings(
        relay="ZRLA000001",
        tokens=TokenSettings(issuer="ZRLA000001", keys="keys"),
        providers={provider.org_code: provider for provider in providers},
        clients={client.service.client_id: client},
        certifiers={},
        pages_url="",
        request_s=600,
        relay_name="한국중계원",
        organisations={"ZOPA000001": "모아 주식회사"},
    )
    clock = ShiftedClock()
    unused = SimpleNamespace()
    authority = AuthorityDependencies(
        settings, ledger, unused, unused, institutions, unused, clock, lambda: secrets.token_urlsafe(32)
    )
    pages_url = await serve(build_pages_application(authority, lambda _: None))
    authority.settings = replace(settings, pages_url=pages_url)
    yield Environment(authority, clock, callback, trust)
    await institutions.close()
    await ledger.close()


class ShiftedClock:
    """The time plus `offset_s` seconds."""

    offset_s = 0.0

    def __call__(self):
        return time.time() + self.offset_s


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium():
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(chromium):
    """Opens pages, each in a browser with its own cookies."""
    contexts = []

    async def make(**settings):
        options = {"ignore_https_errors": True, "viewport": VIEWPORT, "locale": "ko-KR"} | settings
        contexts.append(await chromium.new_context(**options))
        page = await contexts[-1].new_page()
        page.set_default_timeout(10_000)
        return page

    yield make
    for context in contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page):
    return await open_page()


@pytest.fixture
def fill_in():
    """Fills in the pages as a customer does."""

    async def log_in(page, login=LOGINS[0], password=""):
        await page.get_by_label("아이디").fill(login.login_id)
        await page.get_by_label("비밀번호", exact=True).fill(password or login.password)
        await page.get_by_role("button", name="로그인").click()

    async def consent(page, scheduled="아니요, 내가 요청할 때만 보냅니다"):
        for box in await page.get_by_label("모두 선택").all():
            await box.check()
        for group in await page.locator("fieldset.question").all():
            radio = group.get_by_label("아니요", exact=True)
            await (radio if await radio.count() else group.get_by_label(scheduled)).check()

    return SimpleNamespace(log_in=log_in, consent=consent)


@pytest.fixture
def callback_parameters():
    """Reads the parameters that the operator's callback got."""

    async def read(page):
        await page.wait_for_url("**/callback?**")
        return json.loads(await page.locator("p").inner_text())

    return read


@pytest.fixture
def submit():
    """Clicks the button of the consent form."""

    async def press(page, **options):
        await page.get_by_role("button", name="동의하고 보내기").click(**options)

    return press


@pytest.fixture
def picture():
    """Saves a screenshot of the page to docs/images if RELAY_PICTURES is set."""

    async def take(page, name, *, whole=True):
        if os.environ.get("RELAY_PICTURES"):
            IMAGES.mkdir(exist_ok=True)
            await page.screenshot(path=IMAGES / f"{name}.png", full_page=whole)

    return take


@pytest.fixture
def violations(npm_packages):
    """Returns the violations that axe-core finds: WCAG A and AA up to 2.2, and good practice."""
    source = (npm_packages / "axe-core" / "axe.min.js").read_text()

    async def find(page):
        # evaluated by the debugger, to which the Content-Security-Policy does not apply
        await page.evaluate(source)
        report = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [(rule["id"], node["html"]) for rule in report["violations"] for node in rule["nodes"]]

    return find
