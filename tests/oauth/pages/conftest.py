"""A customer with a phone before the pages: real TLS on loopback, a ledger and an institution in memory."""

import itertools
import re
import ssl
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from relay.domain.authorization.consent import Asset
from relay.domain.authorization.request import LOGINS_MOST, REQUEST_MOVES, AuthorizationRequest, RequestState
from relay.domain.institution import DeskFault, Holding
from relay.domain.ledger import NotGranted, Why
from relay.domain.party import Service
from relay.domain.transition import moved
from relay.endpoint.handlers import RUNNER
from relay.endpoint.serving import served
from relay.oauth.pages.application import pages_application, turned_away
from relay.oauth.services import Authority, Client, Office
from relay.policy.settings.authority import Tokens
from relay.policy.settings.directory import Authentication, Link, Provider, Redirect
from relay.sandbox.certificates import make_dev_certificates

NOW = 1_795_316_400  # 2026-11-22 00:00:00 UTC, 09:00 in Korea
CI = "Q0ktb2YtYS1jdXN0b21lcg=="
OPEN = {RequestState.OPEN, RequestState.AUTHENTICATED}


class MemoryLedger:
    """The ledger as the pages use it, without a database."""

    def __init__(self):
        self.requests, self.browsers, self.consents, self.codes, self.history = {}, {}, [], [], []

    async def open_request(self, request):
        self.requests[request.request_id] = request

    async def request(self, request_id, browser, now):
        found = self.requests.get(request_id)
        if found is None or (browser and self.browsers.setdefault(request_id, browser) != browser):
            raise NotGranted(Why.REQUEST_UNKNOWN)
        if found.state is RequestState.LOCKED:
            raise NotGranted(Why.REQUEST_LOCKED)
        if found.state not in OPEN:
            raise NotGranted(Why.REQUEST_ANSWERED)
        if now >= found.expires_at:
            raise NotGranted(Why.REQUEST_EXPIRED)
        return found

    async def login_failed(self, request_id, now):
        found = await self.request(request_id, None, now)
        failures = found.failures + 1
        state = RequestState.LOCKED if failures == LOGINS_MOST else found.state
        self.requests[request_id] = replace(found, failures=failures, state=state)
        return self.requests[request_id]

    async def answer_request(self, request_id, state, why, now):
        found = await self.request(request_id, None, now)
        self.requests[request_id] = replace(found, state=moved(REQUEST_MOVES, found.state, state))
        self.history.append((state, why))

    async def consent_of(self, ci, client_id, provider):
        wanted = (ci, client_id, provider)
        fitting = (one for one in reversed(self.consents) if (one.ci, one.client_id, one.provider) == wanted)
        return next(fitting, None)

    async def give_consent(self, request_id, consent, code, now):
        await self.answer_request(request_id, RequestState.CONSENTED, "", now)
        self.consents.append(consent)
        self.codes.append(code)


@dataclass
class Desk:
    """The institution's answers; `silent` makes it answer nothing."""

    known: dict = field(default_factory=lambda: {("hong", "right"): CI, ("kim", "right"): "c29tZWJvZHkgZWxzZQ=="})
    held: list = field(
        default_factory=lambda: [
            Holding(("bank.deposit",), Asset("1001"), "입출금통장 <b>1</b>"),
            Holding(("bank.deposit", "bank.loan"), Asset("1002", "001"), "마이너스통장"),
            Holding(("bank.loan",), Asset("3001"), "신용대출"),
        ]
    )
    silent: bool = False
    asked: list = field(default_factory=list)
    addresses: list = field(default_factory=list)

    async def login(self, provider, login_id, password, address):
        self.asked.append((provider.org_code, login_id, password))
        self.addresses.append(address)
        if self.silent:
            raise DeskFault("nothing came")
        return self.known.get((login_id, password))

    async def holdings(self, provider, ci, client_id):
        if self.silent:
            raise DeskFault("nothing came")
        return self.held


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC))


@pytest.fixture
def asked():
    return AuthorizationRequest(
        request_id="request-number-one",
        provider="ZBAA000001",
        operator="ZOPA000001",
        client_id="ZOPA000001SVC01",
        redirect_uri="https://operator.example/callback?from=relay",
        app_scheme="moabogi://done",
        oauth_state="state1",
        api_tran_id="ZOPA000001M00000000000001",
        asked_at=NOW,
        expires_at=NOW + 600,
        ci=CI,
    )


@pytest.fixture
def bank():
    return Provider(
        org_code="ZBAA000001",
        name="가온상호저축은행",
        industry="bank",
        base_urls=("http://127.0.0.1:1",),
        link=Link.LEASED_LINE,
        authentication=Authentication.HOSTED,
        redirect=Redirect(url="https://bank.example/login", public_key="bank.pem"),
    )


@pytest.fixture
def bank_key():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def clock():
    return SimpleNamespace(now=float(NOW))


@pytest.fixture
def authority(bank, clock):
    client = Client(Service("ZOPA000001SVC01", "모아보기", "ZOPA000001"), "")
    office = Office(
        relay="ZRLA000001",
        tokens=Tokens(issuer="ZRLA000001", keys="keys"),
        providers={bank.org_code: bank},
        clients={client.service.client_id: client},
        certifiers={},
        pages_url="https://pages.example",
        request_s=600,
    )
    numbers = itertools.count(1)
    nothing = SimpleNamespace()
    return Authority(
        office,
        MemoryLedger(),
        nothing,
        nothing,
        Desk(),
        nothing,
        lambda: clock.now,
        lambda: f"random-{next(numbers):040}",
    )


@dataclass
class Answer:
    """A page as it came: `fields` are the names and values of its hidden, ticked and typed fields."""

    status: int
    headers: dict
    text: str

    @property
    def title(self):
        return re.search(r"<title>(.*)</title>", self.text)[1]

    @property
    def token(self):
        return re.search(r'name="form_token" value="([^"]+)"', self.text)[1]

    def keys(self, scope):
        return re.findall(rf'name="asset\.{re.escape(scope)}" value="([^"]+)"', self.text)

    @property
    def ticked(self):
        return re.findall(r'id="([^"]+)"[^>]* (?:checked|selected)>', self.text.replace("\n", " "))

    @property
    def back(self):
        """Where a redirect leads, without its query, and the query."""
        place = urlsplit(self.headers["Location"])
        return place._replace(query="").geturl(), {name: one for name, (one,) in parse_qs(place.query).items()}


class Phone:
    """A browser that follows nothing by itself."""

    def __init__(self, session, base, place):
        self.session, self.base, self.place = session, base, place

    async def ask(self, method, path, **more):
        async with self.session.request(method, self.base + path, allow_redirects=False, **more) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def get(self, step=""):
        return await self.ask("GET", self.place + step)

    async def post(self, step, token, **fields):
        return await self.ask("POST", self.place + step, data=[("form_token", token), *fields_of(fields)])

    async def log_in(self, login_id="hong", password="right"):
        page = await self.get()
        return await self.post("/login", page.token, login_id=login_id, password=password)


def fields_of(fields):
    for name, value in fields.items():
        for one in [value] if isinstance(value, str) else value:
            yield name, one


@pytest.fixture
async def pages(authority, bank_key, certificates, asked):
    await authority.ledger.open_request(asked)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.relay.certificate, certificates.relay.private_key)
    keys = {asked.provider: bank_key.public_key()}
    async with served(pages_application(authority, keys.get), turned_away, **RUNNER) as runner:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield SimpleNamespace(port=runner.addresses[0][1])


@pytest.fixture
async def pick_up(pages, certificates, asked):
    """Makes phones: each with cookies of its own."""
    sessions = []

    def make(place=f"/authentication/{asked.request_id}"):
        trust = ssl.create_default_context(cafile=str(certificates.ca))
        jar = aiohttp.CookieJar(unsafe=True)
        sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust), cookie_jar=jar))
        return Phone(sessions[-1], f"https://127.0.0.1:{pages.port}", place)

    yield make
    for session in sessions:
        await session.close()


@pytest.fixture
async def phone(pick_up):
    return pick_up()


@pytest.fixture
def everything():
    """A consent form filled in: all scopes, no regular transfer."""
    return {
        "all.bank.deposit": "yes",
        "all.bank.loan": "yes",
        "is_scheduled": "no",
        "is_consent_trans_memo": "yes",
        "end_date": "2027-05-31",
        "purpose": "본인신용정보 통합조회 서비스 이용",
        "period": "withdrawn",
    }
