"""The authority over a real unix socket, with a real ledger, real keys and real secrets; only the clock is ours."""

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

import aiohttp
import jwt
import pytest
from aiohttp import web
from yarl import URL

from relay.domain.authorization.consent import Authentication as Means
from relay.domain.authorization.consent import Consent, Particulars, Target
from relay.domain.authorization.request import AuthorizationRequest, Code, RequestState
from relay.domain.party import Service
from relay.endpoint.handlers import RUNNER, application, turned_away
from relay.endpoint.serving import served
from relay.infra.ledger import schema
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import open_ledger
from relay.infra.tokens.client_secrets import ClientSecrets
from relay.infra.tokens.key_folder import add_key
from relay.infra.tokens.signing import FolderSigner
from relay.oauth.application import endpoints
from relay.oauth.services import Authority, Client, Office
from relay.policy.settings.authority import Tokens
from relay.policy.settings.directory import Authentication, Link, Provider

NOW = 1_800_000_000  # 2027-01-15 in Korea
RELAY, BANK, CARD, NO_PAGES = "ZRLA000001", "ZBAA000001", "ZCDA000001", "ZBAB000001"
OPERATOR, OTHER_OPERATOR = "ZOPA000001", "ZOPB000001"
CLIENT, OTHER_CLIENT, SECRETLESS = "ZOPA000001SVC01", "ZOPB000001SVC01", "ZOPA000001SVC02"
SECRET, OTHER_SECRET = "Q7fG2k9Lm4Xc1Vb8", "Zz5Yy4Xx3Ww2Vv1U"
CALLBACK, APP_SCHEME = "https://operator.example/callback", "moabogi://done"
TRAN_ID = "ZOPA000001M00000000000001"
CI = base64.b64encode(hashlib.sha512(b"a customer").digest()).decode()


def cheap_hash(secret):
    """A slow hash that is quick enough for a test."""
    digest = hashlib.scrypt(secret.encode(), salt=b"saltsaltsaltsalt", n=2**10, r=8, p=1, dklen=32)
    salt, told = (base64.b64encode(raw).decode().rstrip("=") for raw in (b"saltsaltsaltsalt", digest))
    return f"$scrypt$ln=10,r=8,p=1${salt}${told}"


def an_office(folder):
    services = {
        CLIENT: Client(Service(CLIENT, "모아보기", OPERATOR, (CALLBACK,), (APP_SCHEME,)), cheap_hash(SECRET)),
        OTHER_CLIENT: Client(Service(OTHER_CLIENT, "다봄", OTHER_OPERATOR, (CALLBACK,)), cheap_hash(OTHER_SECRET)),
        SECRETLESS: Client(Service(SECRETLESS, "새것", OPERATOR, (CALLBACK,), (APP_SCHEME,)), ""),
    }
    told = {"base_urls": ("http://127.0.0.1:1",), "link": Link.LEASED_LINE}
    providers = (
        Provider(org_code=BANK, name="가온은행", industry="bank", authentication=Authentication.HOSTED, **told),
        Provider(org_code=CARD, name="가온카드", industry="card", authentication=Authentication.HOSTED, **told),
        Provider(org_code=NO_PAGES, name="나루은행", industry="bank", **told),
    )
    return Office(
        relay=RELAY,
        tokens=Tokens(issuer=RELAY, keys=str(folder)),
        providers={provider.org_code: provider for provider in providers},
        clients=services,
        certifiers={},
        pages_url="https://pages.example",
        request_s=600,
    )


@dataclass
class Reply:
    """An answer: status, headers (one value each), and the JSON of its body, None without one."""

    status: int
    headers: dict = field(repr=False)
    body: dict | None

    @property
    def reason(self):
        return self.headers.get("x-relay-reason", "")

    @property
    def told(self):
        """What a redirect tells the callback."""
        return dict(parse_qsl(urlsplit(self.headers["Location"]).query, strict_parsing=True))


class Desk:
    """The authority and an operator's way to it. `now` is its clock, `authority` what stands behind the socket."""

    def __init__(self, authority, session, now):
        self.authority = authority
        self.session = session
        self.clock = now
        self._numbers = count(1)

    @property
    def ledger(self):
        return self.authority.ledger

    def claims(self, token):
        """What a token says, unverified."""
        return jwt.decode(token, options={"verify_signature": False})

    async def send(self, method, target, body=b"", **headers):
        """A call as the gateway passes it on; a header given as None is left out, `_` in its name is a hyphen."""
        told = {"x-api-tran-id": TRAN_ID, "x-relay-operators": OPERATOR}
        if method == "POST":
            told["content-type"] = "application/x-www-form-urlencoded"
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        told = {name: value for name, value in told.items() if value is not None}
        url = URL(f"http://authority{target}", encoded=True)
        async with self.session.request(
            method, url, data=body or None, headers=told, allow_redirects=False, skip_auto_headers=["Content-Type"]
        ) as answer:
            raw = await answer.read()
            return Reply(answer.status, answer.headers, json.loads(raw) if raw else None)

    async def post(self, path, form, **headers):
        """A form to `/oauth/2.0/PATH`; a field given as None is left out."""
        fields = {name: value for name, value in form.items() if value is not None}
        return await self.send("POST", f"/oauth/2.0/{path}", urlencode(fields).encode(), **headers)

    async def consent(self, *, provider=BANK, scopes=("bank.deposit",), end=date(2027, 12, 31), redirect_uri=CALLBACK):
        """A consent given at the pages; the code it ended in."""
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
        await self.ledger.give_consent(request.request_id, consent, Code(digest, now + 600), now)
        return code

    def by_code(self, code, /, **changes):
        """The form of 개별인증-002."""
        return {
            "org_code": BANK,
            "grant_type": "authorization_code",
            "code": code,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "redirect_uri": CALLBACK,
        } | changes

    def by_refresh(self, token, /, **changes):
        """The form of 개별인증-003."""
        return {
            "org_code": BANK,
            "grant_type": "refresh_token",
            "refresh_token": token,
            "client_id": CLIENT,
            "client_secret": SECRET,
        } | changes

    def revoking(self, token, /, **changes):
        """The form of 개별인증-004."""
        return {"org_code": BANK, "token": token, "client_id": CLIENT, "client_secret": SECRET} | changes

    async def pair(self, **consent):
        """The body of 개별인증-002 for a new consent."""
        code = await self.consent(**consent)
        reply = await self.post("token", self.by_code(code, org_code=consent.get("provider", BANK)))
        assert reply.status == 200, reply
        return reply.body

    async def is_live(self, access_token):
        """Whether the ledger holds this access token for good."""
        record, _ = await self.ledger.consent_behind(self.claims(access_token)["jti"])
        return record.state.value == "live"

    def asking(self, **changes):
        """The query of 개별인증-001; a parameter given as None is left out."""
        asked = {
            "org_code": BANK,
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": CALLBACK,
            "app_scheme": APP_SCHEME,
            "state": "State1",
        } | changes
        return urlencode({name: value for name, value in asked.items() if value is not None}, quote_via=quote)

    async def authorize(self, query, **headers):
        """개별인증-001 with a query as it is."""
        return await self.send("GET", f"/oauth/2.0/authorize?{query}", **({"x_user_ci": CI} | headers))


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory):
    """A SQLite ledger with its tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("ledger") / "empty.db"
    asyncio.run(schema.upgrade(f"sqlite:{path}"))
    return path


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys") / "keys"
    add_key(folder, "first", NOW - 1000)
    return folder


@pytest.fixture
async def desk(tmp_path, empty_ledger, key_folder):
    """The authority behind a unix socket, all real but the clock, the institutions and the proofs."""
    shutil.copy(empty_ledger, tmp_path / "ledger.db")
    ledger = await open_ledger(f"sqlite:{tmp_path / 'ledger.db'}", Sealer([CustomerKey("one", b"k" * 32)]), 4)
    secrets = ClientSecrets(lambda: 0.0)
    ids = count(1)
    nothing = SimpleNamespace()
    authority = Authority(
        an_office(key_folder),
        ledger,
        FolderSigner.of_folder(key_folder, RELAY, 5.0),
        secrets,
        nothing,
        nothing,
        lambda: made.clock(),  # noqa: PLW0108 - `made` comes later, and its clock changes
        lambda: f"id{next(ids)}",
    )
    connector = aiohttp.UnixConnector(str(tmp_path / "authority.sock"), limit=0)
    async with (
        served(application(endpoints(authority)), turned_away, **RUNNER) as runner,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        await web.UnixSite(runner, str(tmp_path / "authority.sock")).start()
        made = Desk(authority, session, lambda: NOW + 0.5)
        yield made
    await ledger.close()
    secrets.close()
