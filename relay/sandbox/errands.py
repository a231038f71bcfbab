"""What the pretended operator does to get tokens, and with them: the five calls of the authority (규격 5장).

Each call is made once as an operator's server makes it, and held against the catalogue. Whatever goes wrong on the way
is told by the call, `ok` False and the reason in `why`; nothing is raised for it.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from relay.domain.api import Catalogue
from relay.sandbox.customers import ci_of
from relay.sandbox.figures import Figures
from relay.sandbox.houses import RELAY_CODE, Certifiers, Institution, Neighbour
from relay.sandbox.operator import Call, Check, object_in
from relay.sandbox.papers import APP_SCHEME
from relay.sandbox.phone import PretendedPhone, Stuck
from relay.sandbox.signing import (
    IDENTITY_CERTIFIER,
    SIGNATURE_CERTIFIER,
    Parties,
    Wish,
    demand,
    form_by_certificate,
    form_by_provider,
)
from relay.sandbox.tokens import scopes_of
from relay.sandbox.world.model import Customer

_TOKEN: Final = "/oauth/2.0/token"  # noqa: S105 - a path
_FORM: Final = "application/x-www-form-urlencoded"
_GOOD: Final = frozenset({"", "00000"})
"""What an answer of the authority says that went well: most tell no rsp_code."""

_BROKEN: Final = (aiohttp.ClientError, OSError, TimeoutError)


class Unsigned(Exception):
    """The e-signature provider gave no signature; says what it answered."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the relay gave for one institution."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)


class Errands:
    """The operator's server at the relay's authority. `session` brings the operator's certificate.

    Calls and consents are counted in `figures`.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        gateway: str,
        operator: Neighbour,
        catalogue: Catalogue,
        check: Check,
        figures: Figures | None = None,
    ) -> None:
        self._session = session
        self._gateway = gateway
        self._operator = operator
        self._catalogue = catalogue
        self._check = check
        self._figures = figures
        self._service = 0

    def for_service(self, number: int) -> Self:
        """The same errands for another service of the operator, by its place."""
        self._service = number
        return self

    async def individual(
        self, at: Institution, customer: Customer, phone: PretendedPhone
    ) -> tuple[list[Call], Tokens | None]:
        """개별인증: authorize, the customer's walk over the pages, token. The calls, and tokens when all went well."""
        asked, location, sent = await self._authorize(at, ci_of(customer))
        if not asked.ok:
            return [asked], None
        try:
            back = await phone.walk(location)
        except (Stuck, *_BROKEN) as stuck:
            asked.ok, asked.why = False, [f"the pages: {_said(stuck)}"]
            return [asked], None
        told = dict(parse_qsl(urlsplit(back).query))
        asked.why = _wrong_with(told, sent) or list(self._check(self._catalogue.apis[asked.api_id], told))
        asked.ok = not asked.why
        if not asked.ok:
            return [asked], None
        form = {
            "grant_type": "authorization_code",
            "code": told["code"],
            "redirect_uri": self._operator.callback,
        }
        given, tokens = await self._tokens("개별인증-002", at, form, customer)
        return [asked, given], tokens

    async def authorize(self, at: Institution, customer: Customer) -> str:
        """개별인증-001 alone: where the customer's browser goes. Raises Stuck when the relay says no."""
        asked, location, _ = await self._authorize(at, ci_of(customer))
        if not asked.ok:
            raise Stuck("; ".join(asked.why))
        return location

    async def refresh(self, at: Institution, tokens: Tokens) -> tuple[Call, Tokens | None]:
        """개별인증-003: a new access token."""
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
        call, body = await self._post("개별인증-003", _TOKEN, at, form)
        return call, Tokens(body["access_token"], tokens.refresh) if call.ok else None

    async def revoke(self, at: Institution, tokens: Tokens, customer: Customer) -> Call:
        """개별인증-004: both tokens of the customer end."""
        call, body = await self._post("개별인증-004", "/oauth/2.0/revoke", at, {"token": tokens.access})
        if call.ok and body.get("rsp_code") != "00000":
            call.ok, call.why = False, [f"rsp_code {body.get('rsp_code')}"]
        if call.ok and self._figures is not None:
            self._figures.withdrew(at.org_code, self._client_id, customer.number)
        return call

    async def introduced(self, at: Institution) -> str:
        """Whether the relay knows this operator by certificate and secret: "" when it does, else what it says.

        Asked with a refresh token that nobody has: who is known is told that it is not valid. Calls are counted from
        when the certificate is known; before that the relay could not count them either.
        """
        form = {"grant_type": "refresh_token", "refresh_token": "nobody.has.this"}
        call, body = await self._sent("개별인증-003", _TOKEN, at, form)
        if call.status == HTTPStatus.BAD_REQUEST and body.get("error") in {"invalid_client", "invalid_grant"}:
            self._count(call, ok=False)
        return "" if body.get("error") == "invalid_grant" else "; ".join(call.why)

    async def by_certificate(
        self, at: Institution, customer: Customer, certifiers: Certifiers
    ) -> tuple[Call, Tokens | None]:
        """통합인증-002, auth_type 0: the customer signs with a certificate of their own (공동인증서)."""
        parties = self._parties(at, IDENTITY_CERTIFIER)
        signer = certifiers.papers.customer(customer)
        wanted = demand(self._wish(at), parties)
        return await self._tokens(
            "통합인증-002", at, form_by_certificate(parties, ci_of(customer), signer, wanted, lists=False), customer
        )

    async def by_provider(
        self, at: Institution, customer: Customer, certifiers: Certifiers
    ) -> tuple[Call, Tokens | None]:
        """통합인증-002, auth_type 1: the customer signs at an e-signature provider (사설인증서)."""
        parties = self._parties(at, SIGNATURE_CERTIFIER)
        wanted, tx_id = demand(self._wish(at), parties), parties.tx_id()
        try:
            signature, cert_tx_id = await self._signed_elsewhere(certifiers, ci_of(customer), wanted, tx_id)
        except (Unsigned, *_BROKEN) as unsigned:
            why = [f"the certifier: {_said(unsigned)}"]
            return Call("통합인증-002", at.industry, at.org_code, "POST", _TOKEN, why=why), None
        form = form_by_provider(parties, tx_id, ci_of(customer), wanted, signature, cert_tx_id, lists=False)
        return await self._tokens("통합인증-002", at, form, customer)

    def _parties(self, at: Institution, certifier: str) -> Parties:
        return Parties(self._operator.org_code, at.org_code, RELAY_CODE, certifier, datetime.now(UTC))

    def _wish(self, at: Institution) -> Wish:
        scopes = scopes_of(self._catalogue, at.industry)
        return Wish(at.industry, tuple(scope for scope in scopes if not scope.endswith(".list")))

    async def _authorize(self, at: Institution, ci: str) -> tuple[Call, str, dict[str, str]]:
        """The call, where the customer's browser goes from there, and what has to come back unchanged."""
        call = Call("개별인증-001", at.industry, at.org_code, "GET", "/oauth/2.0/authorize")
        sent = {"state": secrets.token_hex(16), "api_tran_id": self._tran_id()}
        params = {
            "org_code": at.org_code,
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._operator.callback,
            "app_scheme": APP_SCHEME,
            "state": sent["state"],
        }
        headers = {"x-user-ci": ci, "x-api-tran-id": sent["api_tran_id"]}
        location, started = "", time.perf_counter()
        where = f"{self._gateway}{call.path}"
        try:
            async with self._session.get(where, params=params, headers=headers, allow_redirects=False) as answer:
                content = await answer.read()
        except _BROKEN as broken:
            call.why = [_said(broken)]
        else:
            call.status, call.ms = answer.status, (time.perf_counter() - started) * 1000
            location = answer.headers.get("Location", "")
            call.ok = answer.status == HTTPStatus.FOUND and "error=" not in location
            self._count(call, ok=call.ok)
            if not call.ok:
                call.why = [f"HTTP {answer.status} {location or content.decode(errors='replace')}"]
        return call, location, sent

    async def _tokens(
        self, api_id: str, at: Institution, form: Mapping[str, str], customer: Customer
    ) -> tuple[Call, Tokens | None]:
        call, body = await self._post(api_id, _TOKEN, at, form)
        if call.ok and form.get("tx_id") != body.get("tx_id"):
            call.ok, call.why = False, ["tx_id was not returned unchanged"]
        if call.ok and self._figures is not None:
            self._figures.consented(at.org_code, self._client_id, customer.number)
        return call, Tokens(body["access_token"], body["refresh_token"]) if call.ok else None

    async def _post(
        self, api_id: str, path: str, at: Institution, form: Mapping[str, str]
    ) -> tuple[Call, dict[str, Any]]:
        call, body = await self._sent(api_id, path, at, form)
        if call.status:
            self._count(call, ok=call.status == HTTPStatus.OK and call.rsp_code in _GOOD)
        return call, body

    async def _sent(
        self, api_id: str, path: str, at: Institution, form: Mapping[str, str]
    ) -> tuple[Call, dict[str, Any]]:
        call = Call(api_id, at.industry, at.org_code, "POST", path)
        ours = {
            "org_code": at.org_code,
            "client_id": self._client_id,
            "client_secret": self._operator.client_secrets[self._service],
        }
        tran_id = self._tran_id()
        headers = {"x-api-tran-id": tran_id, "Content-Type": _FORM}
        started = time.perf_counter()
        try:
            async with self._session.post(f"{self._gateway}{path}", data={**form, **ours}, headers=headers) as answer:
                body = object_in(await answer.read()) or {}
        except _BROKEN as broken:
            call.why = [_said(broken)]
            return call, {}
        call.status, call.ms = answer.status, (time.perf_counter() - started) * 1000
        call.rsp_code = str(body.get("rsp_code", ""))
        if answer.status != HTTPStatus.OK:
            call.why = [f"HTTP {answer.status} {_words(body)}"]
        else:
            call.why = list(self._check(self._catalogue.apis[api_id], body))
        if answer.headers.get("x-api-tran-id") != tran_id:
            call.why.append("x-api-tran-id was not returned unchanged")
        call.ok = not call.why
        return call, body

    async def _signed_elsewhere(self, certifiers: Certifiers, ci: str, consent: str, tx_id: str) -> tuple[str, str]:
        """통합인증-102 and -103 at the certifier: the signature of the consent, and the certifier's cert_tx_id."""
        form = {
            "grant_type": "client_credentials",
            "client_id": certifiers.client_id,
            "client_secret": certifiers.client_secret,
            "scope": "ca",
        }
        token = (await self._asked(certifiers, "/oauth/2.0/token", data=form))["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        sign_tx_id = secrets.token_hex(20)
        asked = {
            "sign_tx_id": sign_tx_id,
            "user_ci": ci,
            "consent_list": [{"consent": consent, "tx_id": tx_id}],
        }
        told = await self._asked(certifiers, "/v1/ca/sign_request", json=asked, headers=bearer)
        asked = {"cert_tx_id": told["cert_tx_id"], "sign_tx_id": sign_tx_id}
        result = await self._asked(certifiers, "/v1/ca/sign_result", json=asked, headers=bearer)
        (signed,) = result["signed_consent_list"]
        return signed["signed_consent"], told["cert_tx_id"]

    async def _asked(self, certifiers: Certifiers, path: str, **sent: Any) -> dict[str, Any]:
        async with self._session.post(f"{certifiers.signature}{path}", **sent) as answer:
            told = object_in(await answer.read()) or {}
        if answer.status != HTTPStatus.OK:
            raise Unsigned(f"HTTP {answer.status} {_words(told)} at {path}")
        return told

    @property
    def _client_id(self) -> str:
        return self._operator.client_ids[self._service]

    def _count(self, call: Call, *, ok: bool) -> None:
        if self._figures is not None:
            code = self._catalogue.apis[call.api_id].api_code
            self._figures.answered(call.org_code, self._client_id, code, ok=ok, ms=call.ms)

    def _tran_id(self) -> str:
        return f"{self._operator.org_code}M{secrets.token_hex(7).upper()}"


def _wrong_with(told: Mapping[str, str], sent: Mapping[str, str]) -> list[str]:
    """What an operator refuses a returning customer for (RFC 6749 4.1.2, 10.12)."""
    if "code" not in told:
        return [f"the customer came back with {told.get('error', 'no code')}"]
    return [f"{name} was not returned unchanged" for name, value in sent.items() if told.get(name) != value]


def _words(body: Mapping[str, Any]) -> str:
    """A refusal in whichever dialect it comes: OAuth's or the data APIs'."""
    told = (body.get("error") or body.get("rsp_code"), body.get("error_description") or body.get("rsp_msg"))
    return ": ".join(str(word) for word in told if word) or "without a word"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if isinstance(error, _BROKEN) else str(error)
