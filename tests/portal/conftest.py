"""The support APIs over real sockets, with real ledger, keys and secrets; clock and probe are fakes."""

import asyncio
import base64
import hashlib
import json
import shutil
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from types import SimpleNamespace
from urllib.parse import urlencode

import jwt
import pytest
from yarl import URL

from relay.domain.authorization.consent import Authentication, Consent, Particulars, Target
from relay.domain.authorization.issued_tokens import TokenKind, TokenPair, TokenRecord
from relay.domain.ledger import LedgerDown
from relay.endpoint.handlers import SERVER_OPTIONS, build_application, build_error_response
from relay.infra.ledger import upgrading
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import create_ledger
from relay.infra.tokens.client_secrets import ClientSecrets
from relay.infra.tokens.key_folder import add_key
from relay.infra.tokens.signing import TokenSigner
from relay.policy.settings.directory import Provider
from relay.policy.settings.portal import MaintenanceWindow, PortalSettings
from relay.portal.application import endpoints
from relay.portal.dependencies import SupportDependencies, SupportSettings

NOW = 1_800_000_000  # Friday, 2027-01-15, 17:00 in Korea
TOKEN, STATUS, CONSENTS, RESEND = (
    "/mgmts/oauth/2.0/token",
    "/v1/mgmts/status",
    "/v1/mgmts/consents",
    "/v1/mgmts/req-statistics",
)
RELAY, PORTAL, BANK, CARD = "ZRLA000001", "ZPTL000001", "ZBAA000001", "ZCDA000001"
OPERATOR, OTHER_OPERATOR = "ZOPA000001", "ZOPB000001"
CLIENT, SECRET = "portalatrelay", "Q7fG2k9Lm4Xc1Vb8"
TRAN_ID = "ZPTL000001P00000000000001"
CI = base64.b64encode(hashlib.sha512(b"a customer").digest()).decode()


def cheap_hash(secret):
    """Returns a scrypt hash with cheap parameters."""
    digest = hashlib.scrypt(secret.encode(), salt=b"saltsaltsaltsalt", n=2**10, r=8, p=1, dklen=32)
    salt, encoded_digest = (base64.b64encode(raw).decode().rstrip("=") for raw in (b"saltsaltsaltsalt", digest))
    return f"$scrypt$ln=10,r=8,p=1${salt}${encoded_digest}"


def build_portal_settings(**offers):
    return PortalSettings.model_validate(
        {
            "org_code": PORTAL,
            "base_url": "https://portal.example",
            "serial_num": "999-81-00002",
            "addresses": ["192.0.2.9"],
            "calls": {"client_id": "relayatportal", "client_secret": "env:S"},
            "offers": {"client_id": CLIENT, "client_secret_hash": cheap_hash(SECRET), "token_days": 30} | offers,
        }
    )


def build_settings(**offers):
    link = {"base_urls": ("http://127.0.0.1:1",), "link": "leased_line"}
    night = MaintenanceWindow(day="sat", start="0200", end="0400")
    providers = (
        Provider(org_code=BANK, name="가온은행", industry="bank", maintenance=(night,), **link),
        Provider(org_code=CARD, name="가온카드", industry="card", **link),
    )
    return SupportSettings.of(RELAY, RELAY, build_portal_settings(**offers), providers, (OPERATOR, OTHER_OPERATOR))


class Probe:
    """Returns `is_reachable`; `probed` lists the org_codes."""

    def __init__(self):
        self.is_reachable, self.probed = True, []

    async def reaches(self, provider):
        self.probed.append(provider.org_code)
        return self.is_reachable


@dataclass
class Reply:
    """An answer: status, headers (one value each), and its JSON body."""

    status: int
    headers: dict = field(repr=False)
    body: dict | None

    @property
    def noted(self):
        """Notes for the gateway's record."""
        return {name[8:]: value for name, value in self.headers.items() if name.startswith("x-relay-")}

    @property
    def reason(self):
        return self.noted.get("reason", "")


class SupportClient:
    """A client of the support APIs. `clock` is their clock."""

    def __init__(self, support, ledger, http):
        self.support, self.ledger, self.http = support, ledger, http
        self.clock = lambda: NOW + 0.5
        self.authorization = ""
        self._numbers = count(1)

    @property
    def statistics(self):
        return self.ledger.statistics

    @property
    def probe(self):
        return self.support.probe

    async def send(self, method, target, body=b"", **headers):
        """Sends a call like the gateway; a header of None is left out, `_` in its name is a hyphen."""
        all_headers = {"x-api-tran-id": TRAN_ID, "x-relay-operators": PORTAL}
        all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        all_headers = {name: value for name, value in all_headers.items() if value is not None}
        url = URL(f"{self.http.make_url('')}".rstrip("/") + target, encoded=True)
        response = self.http.session.request(
            method, url, data=body or None, headers=all_headers, skip_auto_headers=["Content-Type"]
        )
        async with response as answer:
            raw = await answer.read()
            lower = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(answer.status, lower, json.loads(raw) if raw else None)

    def form(self, **changes):
        """Returns the form of 지원-101; a field of None is left out."""
        form = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET, "scope": "manage"}
        return {name: value for name, value in (form | changes).items() if value is not None}

    async def redeem(self, form=None, **headers):
        """Calls 지원-101."""
        all_headers = {"content_type": "application/x-www-form-urlencoded"} | headers
        return await self.send("POST", TOKEN, urlencode(form or self.form()).encode(), **all_headers)

    async def bearer(self):
        """Returns an `Authorization` value with a valid token, the same each time."""
        if not self.authorization:
            self.authorization = f"Bearer {(await self.redeem()).body['access_token']}"
        return self.authorization

    def forged(self, **claims):
        """Returns a token signed by the relay with other claims than 지원-101; None leaves a claim out."""
        now = int(self.clock())
        all_claims = {"iss": RELAY, "aud": PORTAL, "jti": "forged", "iat": now, "exp": now + 60, "scope": "manage"}
        all_claims |= {"org_code": RELAY, "client_id": CLIENT, "use": "manage"} | claims
        all_claims = {name: value for name, value in all_claims.items() if value is not None}
        return self.support.signer.sign(all_claims, now)[0]

    async def get(self, path, query, **headers):
        """Calls 지원-102 or -104; `query` is text, or fields of which None are left out."""
        if not isinstance(query, str):
            query = urlencode({name: value for name, value in query.items() if value is not None})
        all_headers = {"authorization": await self.bearer()} | headers
        return await self.send("GET", f"{path}?{query}", **all_headers)

    async def status_of(self, org_code=BANK, **headers):
        return await self.get(STATUS, {"org_code": org_code}, **headers)

    async def consents_of(self, org_code=BANK, ci=CI, **headers):
        """Calls 지원-103."""
        return await self.post({"org_code": org_code, "user_ci": ci}, **headers)

    async def post(self, body, **headers):
        """Calls 지원-103 with a body: bytes, or fields of which None are left out."""
        if not isinstance(body, bytes):
            body = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
        all_headers = {
            "authorization": await self.bearer(),
            "content_type": "application/json; charset=UTF-8",
        } | headers
        return await self.send("POST", CONSENTS, body, **all_headers)

    def week(self, **changes):
        """Returns the query of 지원-104 for the week before the Sunday 2027-01-10."""
        return {"org_code": BANK, "org_type": "03", "inquiry_date": "20270110", "type": "0"} | changes

    async def again(self, headers=None, **changes):
        return await self.get(RESEND, self.week(**changes), **(headers or {}))

    async def consent(self, *, provider=BANK, operator=OPERATOR, number=1, ci=CI, end=date(2027, 12, 31), given=NOW):
        """Issues a consent of the customer. Returns its id."""
        scope = {BANK: "bank", CARD: "card"}.get(provider, "bank")
        targets = (Target(f"{scope}.list"), Target(f"{scope}.deposit" if scope == "bank" else "card.card"))
        particulars = Particulars(False, end, "자산 조회", date(2027, 12, 31), targets)
        name, client_id = f"consent{next(self._numbers)}", f"{operator}SVC{number:02}"
        authentication = Authentication.INTEGRATED
        consent = Consent(name, provider, operator, client_id, authentication, particulars, given, ci)
        kinds = (TokenKind.ACCESS, TokenKind.REFRESH)
        jtis = (f"{name}-{kind}" for kind in kinds)
        pair = TokenPair(
            *(
                TokenRecord(jti, kind, name, "x", given, given + 60, jti.encode())
                for jti, kind in zip(jtis, kinds, strict=True)
            )
        )
        await self.ledger.issue_integrated(consent, pair, [], [], given)
        return name

    def claims(self, token):
        """Returns the claims of a token, unverified."""
        return jwt.decode(token, options={"verify_signature": False})


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory):
    """An empty SQLite ledger with its tables, to be copied."""
    path = tmp_path_factory.mktemp("ledger") / "empty.db"
    asyncio.run(upgrading.upgrade(f"sqlite:{path}"))
    return path


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys") / "keys"
    add_key(folder, "first", NOW - 1000)
    return folder


@pytest.fixture
def make_settings():
    """Returns a function that makes settings; keywords change the portal's `offers`."""
    return build_settings


@pytest.fixture
async def support_client(tmp_path, empty_ledger, key_folder, serve, aiohttp_client):
    shutil.copy(empty_ledger, tmp_path / "ledger.db")
    ledger = create_ledger(f"sqlite:{tmp_path / 'ledger.db'}", Sealer([CustomerKey("one", b"k" * 32)]), 4)
    secrets, ids, holder = ClientSecrets(lambda: 0.0), count(1), SimpleNamespace()
    support = SupportDependencies(
        build_settings(),
        ledger,
        ledger.statistics,
        TokenSigner.from_folder(key_folder, RELAY, 5.0),
        secrets,
        Probe(),
        lambda: holder.support_client.clock(),  # noqa: PLW0108 - it is created later, and its clock changes
        lambda: f"id{next(ids)}",
    )
    server = await serve(build_application(endpoints(support)), build_error_response, **SERVER_OPTIONS)
    holder.support_client = SupportClient(support, ledger, await aiohttp_client(server))
    yield holder.support_client
    await ledger.close()
    secrets.close()


@pytest.fixture
def break_ledger(support_client, monkeypatch):
    """Returns a function that makes the ledger unavailable."""

    async def fail(*_, **__):
        raise LedgerDown("database is locked")

    def begin_outage():
        for port, names in (
            (support_client.statistics, ("pulse", "request_resend")),
            (support_client.ledger, ("list_consents_in_force",)),
        ):
            for name in names:
                monkeypatch.setattr(port, name, fail)

    return begin_outage
