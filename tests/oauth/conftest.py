"""The authority on loopback with real ledger, keys and secrets; only the clock is simulated."""

import asyncio
import base64
import hashlib
import json
import shutil
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from types import SimpleNamespace
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import jwt
import pytest
from yarl import URL

from relay.domain.authorization.consent import Authentication as Means
from relay.domain.authorization.consent import Consent, Particulars, Target
from relay.domain.authorization.request import AuthorizationCode, AuthorizationRequest, RequestState
from relay.domain.party import Service
from relay.endpoint.handlers import SERVER_OPTIONS, build_application, build_error_response
from relay.infra.ledger import upgrading
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import create_ledger
from relay.infra.tokens.client_secrets import ClientSecrets
from relay.infra.tokens.key_folder import add_key
from relay.infra.tokens.signing import TokenSigner
from relay.oauth.application import build_endpoints
from relay.oauth.dependencies import AuthorityDependencies, Client, OAuthSettings
from relay.policy.settings.authority import TokenSettings
from relay.policy.settings.directory import AppLogin, AuthenticationMethod, LinkKind, Provider, RedirectLogin

NOW = 1_800_000_000  # 2027-01-15 in Korea
RELAY, BANK, CARD, NO_PAGES = "ZRLA000001", "ZBAA000001", "ZCDA000001", "ZBAB000001"
OPERATOR, OTHER_OPERATOR = "ZOPA000001", "ZOPB000001"
CLIENT, OTHER_CLIENT, SECRETLESS = "ZOPA000001SVC01", "ZOPB000001SVC01", "ZOPA000001SVC02"
SECRET, OTHER_SECRET = "Q7fG2k9Lm4Xc1Vb8", "Zz5Yy4Xx3Ww2Vv1U"
CALLBACK, APP_SCHEME = "https://operator.example/callback", "moabogi://done"
TRAN_ID = "ZOPA000001M00000000000001"
CI = base64.b64encode(hashlib.sha512(b"a customer").digest()).decode()


def cheap_hash(secret):
    """An scrypt hash with a low cost for tests."""
    raw_digest = hashlib.scrypt(secret.encode(), salt=b"saltsaltsaltsalt", n=2**10, r=8, p=1, dklen=32)
    salt, digest = (base64.b64encode(raw).decode().rstrip("=") for raw in (b"saltsaltsaltsalt", raw_digest))
    return f"$scrypt$ln=10,r=8,p=1${salt}${digest}"


def build_settings(folder):
    services = {
        CLIENT: Client(Service(CLIENT, "모아보기", OPERATOR, (CALLBACK,), (APP_SCHEME,)), cheap_hash(SECRET)),
        OTHER_CLIENT: Client(Service(OTHER_CLIENT, "다봄", OTHER_OPERATOR, (CALLBACK,)), cheap_hash(OTHER_SECRET)),
        SECRETLESS: Client(Service(SECRETLESS, "새것", OPERATOR, (CALLBACK,), (APP_SCHEME,)), ""),
    }
    connection = {"base_urls": ("http://127.0.0.1:1",), "link": LinkKind.LEASED_LINE}
    providers = (
        Provider(
            org_code=BANK, name="가온은행", industry="bank", authentication=AuthenticationMethod.HOSTED, **connection
        ),
        Provider(
            org_code=CARD, name="가온카드", industry="card", authentication=AuthenticationMethod.HOSTED, **connection
        ),
        Provider(org_code=NO_PAGES, name="나루은행", industry="bank", **connection),
    )
    return OAuthSettings(
        relay=RELAY,
        tokens=TokenSettings(issuer=RELAY, keys=str(folder)),
        providers={provider.org_code: provider for provider in providers},
        clients=services,
        certifiers={},
        pages_url="https://pages.example",
        request_s=600,
    )


@dataclass
class Reply:
    """A response: status, headers (one value each), and the JSON of its body, None without one."""

    status: int
    headers: dict = field(repr=False)
    body: dict | None

    @property
    def reason(self):
        return self.headers.get("x-relay-reason", "")

    @property
    def callback_parameters(self):
        """Query parameters of a redirect to the callback."""
        return dict(parse_qsl(urlsplit(self.headers["Location"]).query, strict_parsing=True))


class OperatorClient:
    """An operator's client of the authority. `clock` is the authority's clock, `authority` its dependencies."""

    def __init__(self, authority, http, clock):
        self.authority = authority
        self.http = http
        self.clock = clock
        self._numbers = count(1)

    @property
    def ledger(self):
        return self.authority.ledger

    def claims(self, token):
        """Returns the unverified claims of a token."""
        return jwt.decode(token, options={"verify_signature": False})

    async def send(self, method, target, body=b"", **headers):
        """Sends a call as the gateway does. A header of None is omitted, `_` in its name is a hyphen."""
        sent_headers = {"x-api-tran-id": TRAN_ID, "x-relay-operators": OPERATOR}
        if method == "POST":
            sent_headers["content-type"] = "application/x-www-form-urlencoded"
        sent_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent_headers = {name: value for name, value in sent_headers.items() if value is not None}
        url = URL(f"{self.http.make_url('')}".rstrip("/") + target, encoded=True)
        async with self.http.session.request(
            method,
            url,
            data=body or None,
            headers=sent_headers,
            allow_redirects=False,
            skip_auto_headers=["Content-Type"],
        ) as response:
            raw = await response.read()
            return Reply(response.status, response.headers, json.loads(raw) if raw else None)

    async def post(self, path, form, **headers):
        """Sends a form to `/oauth/2.0/PATH`. A field of None is omitted."""
        fields = {name: value for name, value in form.items() if value is not None}
        return await self.send("POST", f"/oauth/2.0/{path}", urlencode(fields).encode(), **headers)

    async def get_code(self, *, provider=BANK, scopes=("bank.deposit",), end=date(2027, 12, 31), redirect_uri=CALLBACK):
        """Gives a consent as the pages do and returns its code."""
        number = next(self._numbers)
        now = int(self.clock())
        request = AuthorizationRequest(
            f"request{number}",
            provider,
            OPERATOR,
            CLIENT,
            redirect_uri,
            APP_SCHEME,
            "state",
            TRAN_ID,
            now,
            now + 600,
            CI,
        )
        targets = tuple(Target(scope) for scope in scopes)
        particulars = Particulars(False, end, "자산 조회", date(2027, 12, 31), targets)
        consent = Consent(f"consent{number}", provider, OPERATOR, CLIENT, Means.INDIVIDUAL, particulars, now, CI)
        code = f"code{number}" + "x" * 40
        await self.ledger.open_request(request)
        await self.ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "login", now)
        digest = hashlib.sha256(code.encode()).digest()
        await self.ledger.give_consent(request.request_id, consent, AuthorizationCode(digest, now + 600), now)
        return code

    def code_form(self, code, /, **changes):
        """Returns the form of 개별인증-002."""
        return {
            "org_code": BANK,
            "grant_type": "authorization_code",
            "code": code,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "redirect_uri": CALLBACK,
        } | changes

    def refresh_form(self, token, /, **changes):
        """Returns the form of 개별인증-003."""
        return {
            "org_code": BANK,
            "grant_type": "refresh_token",
            "refresh_token": token,
            "client_id": CLIENT,
            "client_secret": SECRET,
        } | changes

    def revocation_form(self, token, /, **changes):
        """Returns the form of 개별인증-004."""
        return {"org_code": BANK, "token": token, "client_id": CLIENT, "client_secret": SECRET} | changes

    async def issue_pair(self, **consent):
        """Returns the body of 개별인증-002 for a new consent."""
        code = await self.get_code(**consent)
        reply = await self.post("token", self.code_form(code, org_code=consent.get("provider", BANK)))
        assert reply.status == 200, reply
        return reply.body

    async def is_live(self, access_token):
        """Returns whether this access token is live in the ledger."""
        record, _ = await self.ledger.find_token_and_consent(self.claims(access_token)["jti"])
        return record.state.value == "live"

    def authorize_query(self, **changes):
        """Returns the query of 개별인증-001. A parameter of None is omitted."""
        parameters = {
            "org_code": BANK,
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": CALLBACK,
            "app_scheme": APP_SCHEME,
            "state": "State1",
        } | changes
        return urlencode({name: value for name, value in parameters.items() if value is not None}, quote_via=quote)

    async def authorize(self, query, **headers):
        """Calls 개별인증-001 with this query."""
        return await self.send("GET", f"/oauth/2.0/authorize?{query}", **({"x_user_ci": CI} | headers))


@pytest.fixture
def auth_request():
    """A pending request of individual authentication at the bank."""
    return AuthorizationRequest(
        request_id="one/request",
        provider=BANK,
        operator=OPERATOR,
        client_id=CLIENT,
        redirect_uri=CALLBACK,
        app_scheme=APP_SCHEME,
        oauth_state="state1",
        api_tran_id=TRAN_ID,
        requested_at=NOW,
        expires_at=NOW + 600,
        ci="Q0ktb2YtYS1jdXN0b21lcg==",
    )


@pytest.fixture
def bank():
    """A bank with the settings of every flow; its customers log in at the relay's pages."""
    return Provider(
        org_code=BANK,
        name="가온상호저축은행",
        industry="bank",
        base_urls=("http://127.0.0.1:1",),
        link=LinkKind.LEASED_LINE,
        authentication=AuthenticationMethod.HOSTED,
        redirect=RedirectLogin(url="https://bank.example/login", public_key="bank.pem"),
        app=AppLogin(
            app_scheme_ios="gaon://", install_url_ios="ios", app_scheme_android="gaon2://", install_url_android="play"
        ),
    )


@pytest.fixture
def build_authority(bank):
    """Builds the dependencies of an authority with this bank and one client, from fakes."""

    def build(clock, new_id, *, ledger=None, signer=None, institutions=None):
        client = Client(Service(CLIENT, "모아보기", OPERATOR), "")
        settings = OAuthSettings(
            relay=RELAY,
            tokens=TokenSettings(issuer=RELAY, keys="keys"),
            providers={bank.org_code: bank},
            clients={CLIENT: client},
            certifiers={},
            pages_url="https://pages.example",
            request_s=600,
        )
        return AuthorityDependencies(settings, ledger, signer, None, institutions, None, clock, new_id)

    return build


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory):
    """An empty SQLite ledger to copy."""
    path = tmp_path_factory.mktemp("ledger") / "empty.db"
    asyncio.run(upgrading.upgrade(f"sqlite:{path}"))
    return path


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys") / "keys"
    add_key(folder, "first", NOW - 1000)
    return folder


@pytest.fixture
async def operator(tmp_path, empty_ledger, key_folder, serve, aiohttp_client):
    """An operator of an authority without institutions and consent verifier."""
    shutil.copy(empty_ledger, tmp_path / "ledger.db")
    ledger = create_ledger(f"sqlite:{tmp_path / 'ledger.db'}", Sealer([CustomerKey("one", b"k" * 32)]), 4)
    secrets = ClientSecrets(lambda: 0.0)
    ids = count(1)
    unused = SimpleNamespace()
    authority = AuthorityDependencies(
        build_settings(key_folder),
        ledger,
        TokenSigner.from_folder(key_folder, RELAY, 5.0),
        secrets,
        unused,
        unused,
        lambda: client.clock(),  # noqa: PLW0108 - `client` is assigned later and its clock changes
        lambda: f"id{next(ids)}",
    )
    server = await serve(build_application(build_endpoints(authority)), build_error_response, **SERVER_OPTIONS)
    client = OperatorClient(authority, await aiohttp_client(server), lambda: NOW + 0.5)
    yield client
    await ledger.close()
    secrets.close()
