"""Operators' servers at a whole relay: gateway and authority as processes, the street in this one.

Everything that no log may tell is remembered when it is said, and looked for in the logs at the end.
"""

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import jwt

from relay.sandbox.customers import ci_of
from relay.sandbox.houses import RELAY_CODE
from relay.sandbox.login import LOGINS
from relay.sandbox.operator import object_in, session_of
from relay.sandbox.papers import APP_SCHEME
from relay.sandbox.phone import PretendedPhone, trusting
from relay.sandbox.signing import IDENTITY_CERTIFIER, Parties, Wish, demand, form_by_certificate
from relay.sandbox.tokens import scopes_of
from stage.caller import Line, client_context
from stage.waiting import until

SECRET = {
    *("client_secret", "code", "refresh_token", "access_token", "token", "state", "username", "sub_key"),
    *("password", "signed_person_info_req", "consent_nonce", "ucpid_nonce"),
}
"""Fields of requests and answers whose values no log may tell."""

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Said:
    """One answer: its status, its header fields, the JSON object in it (None when there is none)."""

    status: int
    headers: dict
    body: dict | None

    @property
    def told(self):
        """Where a redirect leads to, and the parameters it tells there."""
        url = urlsplit(self.headers["Location"])
        return url._replace(query="").geturl(), dict(parse_qsl(url.query))


@dataclass
class Neighbours:
    """The street with its relay, and what was said of it. `said` maps what no log may tell to what it is."""

    around: object
    said: dict = field(default_factory=dict)
    _sessions: list = field(default_factory=list)
    _signers: dict = field(default_factory=dict)

    @property
    def street(self):
        return self.around.street

    def server(self, number=0, service=0, identity=None):
        """The server of an operator with one of its services; `identity` is another certificate than its own."""
        neighbour = self.street.operators[number]
        session = session_of(identity or neighbour.identity, self.street.certificates.ca)
        self._sessions.append(session)
        return Server(self, neighbour, session, neighbour.client_ids[service], neighbour.client_secrets[service])

    def signer(self, customer):
        """A customer's own certificate (공동인증서), made once."""
        if customer.number not in self._signers:
            self._signers[customer.number] = self.street.certifiers.papers.customer(customer)
        return self._signers[customer.number]

    def line(self, number=0, identity=None):
        """A bare connection of an operator."""
        context = client_context(self.street.certificates.ca, identity or self.street.operators[number].identity)
        return Line.open(self.street.gateway_port, context)

    def hide(self, told):
        """Remember what must not be logged."""
        self.said |= {str(value): name for name, value in (told or {}).items() if name in SECRET and value}

    @property
    def logs(self):
        """What gateway, authority and street wrote down."""
        return "".join(log.read_text(errors="replace") for log in sorted(Path(self.street.folder).glob("*.log")))

    def leaks(self):
        """What the logs tell that they must not, by its name; as it is and as a URL writes it."""
        logs = self.logs
        return {name for value, name in self.said.items() if value in logs or quote(value, safe="") in logs}

    async def logged(self, tran_id):
        """Wait until the access log tells of a call."""
        await until(lambda: tran_id in self.logs, "the record of a call")

    async def close(self):
        for session in self._sessions:
            await session.close()


@dataclass(frozen=True)
class Server:
    """An operator's server. Every call has a new x-api-tran-id unless `headers` say another, or None for none."""

    around: Neighbours
    neighbour: object
    session: object
    client_id: str
    client_secret: str

    def tran_id(self):
        return f"{self.neighbour.org_code}M{secrets.token_hex(7).upper()}"

    def headers(self, **more):
        named = {"x-api-tran-id": self.tran_id()} | {name.replace("_", "-"): value for name, value in more.items()}
        return {name: value for name, value in named.items() if value is not None}

    async def send(self, method, path, headers, **how):
        url = self.around.street.gateway + path
        async with self.session.request(method, url, headers=headers, allow_redirects=False, **how) as answer:
            return Said(answer.status, answer.headers, object_in(await answer.read()))

    # the authority

    def asked(self, at, **more):
        """The parameters of 개별인증-001."""
        asked = {
            "org_code": at.org_code,
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.neighbour.callback,
            "app_scheme": APP_SCHEME,
            "state": secrets.token_hex(16),
        }
        return asked | more

    async def authorize(self, at, login=LOGINS[0], **headers):
        asked, ci = self.asked(at), ci_of(login.customer)
        self.around.hide({"username": ci, "password": login.password, "state": asked["state"]})
        return await self.send("GET", "/oauth/2.0/authorize", self.headers(x_user_ci=ci, **headers), params=asked)

    def form(self, at, **more):
        return {
            "org_code": at.org_code,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        } | more

    async def post(self, name, form, **headers):
        """A call of the authority; what it says and what it hears is hidden from the logs."""
        self.around.hide(dict(form))
        said = await self.send("POST", f"/oauth/2.0/{name}", self.headers(**headers) | FORM, data=form)
        self.around.hide(said.body)
        return said

    async def code(self, at, login=LOGINS[0]):
        """The customer walks over the pages; the code that comes back."""
        location = (await self.authorize(at, login)).headers["Location"]
        async with PretendedPhone(trusting(self.around.street.certificates.ca), *_of(login)) as phone:
            back = dict(parse_qsl(urlsplit(await phone.walk(location)).query))
        self.around.hide(back)
        return back["code"]

    async def redeem(self, at, code):
        told = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.neighbour.callback}
        return await self.post("token", self.form(at, **told))

    async def refresh(self, at, refresh_token):
        return await self.post("token", self.form(at, grant_type="refresh_token", refresh_token=refresh_token))

    async def revoke(self, at, token):
        return await self.post("revoke", self.form(at, token=token))

    def signed(self, at, login=LOGINS[0], **wished):
        """The form of 통합인증-002, auth_type 0; `wished` is what the customer wants differently."""
        scopes = scopes_of(self.around.around.catalogue, at.industry)
        wish = Wish(at.industry, tuple(scope for scope in scopes if not scope.endswith(".list")), **wished)
        parties = Parties(self.neighbour.org_code, at.org_code, RELAY_CODE, IDENTITY_CERTIFIER, datetime.now(UTC))
        signer = self.around.signer(login.customer)
        told = form_by_certificate(parties, ci_of(login.customer), signer, demand(wish, parties), lists=False)
        return self.form(at, **told)

    async def integrated(self, at, login=LOGINS[0], **wished):
        """Tokens by integrated authentication."""
        said = await self.post("token", self.signed(at, login, **wished))
        assert said.status == 200, said.body
        return said.body

    # data

    async def ask(self, at, token, path="accounts", api_type="user-refresh", **more):
        """A GET of the institution's industry."""
        self.around.hide(more)
        asked = {"org_code": at.org_code, "search_timestamp": "0", "limit": "500"} | more
        headers = self.headers(x_api_type=api_type, Authorization=f"Bearer {token}")
        return await self.send("GET", f"/v1/{at.industry}/{path}", headers, params=asked)

    async def tell(self, at, token, path, **more):
        """A POST of the institution's industry."""
        self.around.hide(more)
        headers = self.headers(x_api_type="user-refresh", Authorization=f"Bearer {token}")
        return await self.send("POST", f"/v1/{at.industry}/{path}", headers, json={"org_code": at.org_code} | more)


def _of(login):
    return login.login_id, login.password


def claims(token):
    """What a token says."""
    return jwt.decode(token, options={"verify_signature": False})


def pid_of_authority(pid):
    """The process that the relay `pid` looks after."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if re.search(rb"--role\0authority", Path(f"/proc/{child}/cmdline").read_bytes()):
            return int(child)
    raise AssertionError("no authority runs")
