"""A customer's browser at the pages: real TLS on loopback, ledger and institution in memory."""

import itertools
import re
import ssl
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from mydata_sandbox.credentials.certificates import make_dev_certificates

from relay.domain.authorization.consent import Asset
from relay.domain.authorization.request import MAX_LOGINS, REQUEST_MOVES, RequestState
from relay.domain.institution import Holding, InstitutionError
from relay.domain.ledger import LedgerRefused, Reason
from relay.domain.transition import apply_transition
from relay.endpoint.handlers import SERVER_OPTIONS
from relay.oauth.pages.application import build_error_response, build_pages_application

NOW = 1_795_316_400  # 2026-11-22 00:00:00 UTC, 09:00 in Korea
CI = "Q0ktb2YtYS1jdXN0b21lcg=="
OPEN = {RequestState.OPEN, RequestState.AUTHENTICATED}


class MemoryLedger:
    """The ledger methods of the pages, without a database."""

    def __init__(self):
        self.requests, self.browsers, self.consents, self.codes, self.history = {}, {}, [], [], []

    async def open_request(self, request):
        self.requests[request.request_id] = request

    async def load_request(self, request_id, browser, now):
        request = self.requests.get(request_id)
        if request is None or (browser and self.browsers.setdefault(request_id, browser) != browser):
            raise LedgerRefused(Reason.REQUEST_UNKNOWN)
        if request.state is RequestState.LOCKED:
            raise LedgerRefused(Reason.REQUEST_LOCKED)
        if request.state not in OPEN:
            raise LedgerRefused(Reason.REQUEST_ANSWERED)
        if now >= request.expires_at:
            raise LedgerRefused(Reason.REQUEST_EXPIRED)
        return request

    async def count_failed_login(self, request_id, now):
        request = await self.load_request(request_id, None, now)
        failures = request.failures + 1
        state = RequestState.LOCKED if failures == MAX_LOGINS else request.state
        self.requests[request_id] = replace(request, failures=failures, state=state)
        return self.requests[request_id]

    async def answer_request(self, request_id, state, why, now):
        request = await self.load_request(request_id, None, now)
        self.requests[request_id] = replace(request, state=apply_transition(REQUEST_MOVES, request.state, state))
        self.history.append((state, why))

    async def find_consent(self, ci, client_id, provider):
        wanted = (ci, client_id, provider)
        matching = (held for held in reversed(self.consents) if (held.ci, held.client_id, held.provider) == wanted)
        return next(matching, None)

    async def give_consent(self, request_id, consent, code, now):
        await self.answer_request(request_id, RequestState.CONSENTED, "", now)
        self.consents.append(consent)
        self.codes.append(code)


@dataclass
class FakeInstitution:
    """An institution's responses; it fails while `is_silent`."""

    known: dict = field(default_factory=lambda: {("hong", "right"): CI, ("kim", "right"): "c29tZWJvZHkgZWxzZQ=="})
    held: list = field(
        default_factory=lambda: [
            Holding(("bank.deposit",), Asset("1001"), "입출금통장 <b>1</b>"),
            Holding(("bank.deposit", "bank.loan"), Asset("1002", "001"), "마이너스통장"),
            Holding(("bank.loan",), Asset("3001"), "신용대출"),
        ]
    )
    is_silent: bool = False
    logins: list = field(default_factory=list)
    addresses: list = field(default_factory=list)

    async def login(self, provider, login_id, password, address):
        self.logins.append((provider.org_code, login_id, password))
        self.addresses.append(address)
        if self.is_silent:
            raise InstitutionError("nothing came")
        return self.known.get((login_id, password))

    async def holdings(self, provider, ci, client_id):
        if self.is_silent:
            raise InstitutionError("nothing came")
        return self.held


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC))


@pytest.fixture
def auth_request(auth_request):
    callback = "https://operator.example/callback?from=relay"
    times = {"requested_at": NOW, "expires_at": NOW + 600}
    return replace(auth_request, request_id="request-number-one", redirect_uri=callback, **times)


@pytest.fixture
def bank_key():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def clock():
    return SimpleNamespace(now=float(NOW))


@pytest.fixture
def authority(build_authority, clock):
    numbers = itertools.count(1)
    return build_authority(
        lambda: clock.now,
        lambda: f"random-{next(numbers):040}",
        ledger=MemoryLedger(),
        institutions=FakeInstitution(),
    )


@dataclass
class PageResponse:
    """A response with the contents of its page."""

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
    def redirect(self):
        """URL of a redirect without its query, and the query."""
        url = urlsplit(self.headers["Location"])
        return url._replace(query="").geturl(), {name: value for name, (value,) in parse_qs(url.query).items()}


class BrowserClient:
    """A browser that follows no redirects."""

    def __init__(self, http, path):
        self.http, self.path = http, path

    async def send(self, method, path, **options):
        async with self.http.request(method, path, allow_redirects=False, **options) as response:
            return PageResponse(response.status, response.headers, await response.text())

    async def get(self, step=""):
        return await self.send("GET", self.path + step)

    async def post(self, step, token, **fields):
        return await self.send("POST", self.path + step, data=[("form_token", token), *fields_of(fields)])

    async def log_in(self, login_id="hong", password="right"):
        page = await self.get()
        return await self.post("/login", page.token, login_id=login_id, password=password)


def fields_of(fields):
    for name, value in fields.items():
        for single in [value] if isinstance(value, str) else value:
            yield name, single


@pytest.fixture
async def pages(authority, bank_key, certificates, auth_request, serve):
    await authority.ledger.open_request(auth_request)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.relay.certificate, certificates.relay.private_key)
    keys = {auth_request.provider: bank_key.public_key()}
    app = build_pages_application(authority, keys.get)
    return await serve(app, build_error_response, ssl=context, **SERVER_OPTIONS)


@pytest.fixture
async def open_browser(pages, certificates, auth_request, aiohttp_client):
    """Opens browsers, each with its own cookies."""

    async def open_one(path=f"/authentication/{auth_request.request_id}"):
        trust = ssl.create_default_context(cafile=str(certificates.ca))
        return BrowserClient(await aiohttp_client(pages, connector=aiohttp.TCPConnector(ssl=trust)), path)

    return open_one


@pytest.fixture
async def browser(open_browser):
    return await open_browser()


@pytest.fixture
def consent_form():
    """A completed consent form: all scopes, no scheduled transfer."""
    return {
        "all.bank.deposit": "yes",
        "all.bank.loan": "yes",
        "is_scheduled": "no",
        "is_consent_trans_memo": "yes",
        "end_date": "2027-05-31",
        "purpose": "본인신용정보 통합조회 서비스 이용",
        "period": "withdrawn",
    }
