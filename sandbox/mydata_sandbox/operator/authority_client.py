"""Calls of the simulated operator to the authority: the five APIs that issue and revoke tokens (규격 5장).

Each response is validated against the catalogue. A failure is not raised: the call has `ok` False and reasons in `why`.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from mydata_sandbox.certifiers.profile import Certifiers
from mydata_sandbox.customer.browser_client import BrowserClient, PageFlowError
from mydata_sandbox.customer.signing import (
    Parties,
    build_certificate_form,
    build_provider_form,
    build_terms,
    demand,
)
from mydata_sandbox.institution.profile import Institution
from mydata_sandbox.operator.client import Call, Check, parse_object
from mydata_sandbox.operator.figures import Figures
from mydata_sandbox.operator.profile import OperatorProfile
from mydata_sandbox.parties import APP_SCHEME, IDENTITY_CERTIFIER, RELAY_CODE, SIGNATURE_CERTIFIER
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import Customer
from relay.domain.api import Catalogue

_TOKEN: Final = "/oauth/2.0/token"  # noqa: S105 - a path
_FORM: Final = "application/x-www-form-urlencoded"
_SUCCESS_CODES: Final = frozenset({"", "00000"})
"""rsp_code of successful responses of the authority. Most have none."""

_CONNECTION_ERRORS: Final = (aiohttp.ClientError, OSError, TimeoutError)


class Unsigned(Exception):
    """The e-signature provider returned no signature. The message has its response."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Access and refresh token for one institution."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)


class AuthorityClient:
    """Client of the relay's authority. `session` presents the operator's certificate.

    It counts calls and consents in `figures`.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        gateway: str,
        operator: OperatorProfile,
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

    def select_service(self, number: int) -> Self:
        """Uses another service of the operator, by its index, from now on. Returns this client."""
        self._service = number
        return self

    async def obtain_individually(
        self, at: Institution, customer: Customer, browser: BrowserClient
    ) -> tuple[list[Call], Tokens | None]:
        """개별인증: authorize, pages in the browser, token. Returns the calls, and tokens on success."""
        authorize_call, location, sent = await self._authorize(at, get_ci(customer))
        if not authorize_call.ok:
            return [authorize_call], None
        try:
            callback_url = await browser.consent(location)
        except (PageFlowError, *_CONNECTION_ERRORS) as error:
            authorize_call.ok, authorize_call.why = False, [f"the pages: {_describe_exception(error)}"]
            return [authorize_call], None
        callback_params = dict(parse_qsl(urlsplit(callback_url).query))
        authorize_call.why = _find_redirect_problems(callback_params, sent) or list(
            self._check(self._catalogue.apis[authorize_call.api_id], callback_params)
        )
        authorize_call.ok = not authorize_call.why
        if not authorize_call.ok:
            return [authorize_call], None
        form = {
            "grant_type": "authorization_code",
            "code": callback_params["code"],
            "redirect_uri": self._operator.callback,
        }
        token_call, tokens = await self._request_tokens("개별인증-002", at, form, customer)
        return [authorize_call, token_call], tokens

    async def authorize(self, at: Institution, customer: Customer) -> str:
        """개별인증-001 alone. Returns the redirect URL. Raises PageFlowError when the relay refuses."""
        call, location, _ = await self._authorize(at, get_ci(customer))
        if not call.ok:
            raise PageFlowError("; ".join(call.why))
        return location

    async def refresh(self, at: Institution, tokens: Tokens) -> tuple[Call, Tokens | None]:
        """개별인증-003: issue a new access token."""
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
        call, body = await self._post("개별인증-003", _TOKEN, at, form)
        return call, Tokens(body["access_token"], tokens.refresh) if call.ok else None

    async def revoke(self, at: Institution, tokens: Tokens, customer: Customer) -> Call:
        """개별인증-004: revoke both tokens of the customer."""
        call, body = await self._post("개별인증-004", "/oauth/2.0/revoke", at, {"token": tokens.access})
        if call.ok and body.get("rsp_code") != "00000":
            call.ok, call.why = False, [f"rsp_code {body.get('rsp_code')}"]
        if call.ok and self._figures is not None:
            self._figures.count_withdrawal(at.org_code, self._client_id, customer.number)
        return call

    async def check_registration(self, at: Institution) -> str:
        """Returns "" when the relay accepts the operator's certificate and secret, else its error.

        The refresh token of this call is invalid: a registered operator gets invalid_grant. The call is counted once
        the relay accepts the certificate. Before that the relay does not count it either.
        """
        form = {"grant_type": "refresh_token", "refresh_token": "unknown.refresh.token"}
        call, body = await self._send("개별인증-003", _TOKEN, at, form)
        if call.status == HTTPStatus.BAD_REQUEST and body.get("error") in {"invalid_client", "invalid_grant"}:
            self._count(call, ok=False)
        return "" if body.get("error") == "invalid_grant" else "; ".join(call.why)

    async def obtain_by_certificate(
        self, at: Institution, customer: Customer, certifiers: Certifiers
    ) -> tuple[Call, Tokens | None]:
        """통합인증-002, auth_type 0: the customer signs with a certificate (공동인증서)."""
        parties = self._parties(at, IDENTITY_CERTIFIER)
        signer = certifiers.pki.customer(customer)
        consent = demand(build_terms(self._catalogue, at.industry), parties)
        return await self._request_tokens(
            "통합인증-002",
            at,
            build_certificate_form(parties, get_ci(customer), signer, consent, lists=False),
            customer,
        )

    async def obtain_by_provider(
        self, at: Institution, customer: Customer, certifiers: Certifiers, scopes: Sequence[str] = ()
    ) -> tuple[Call, Tokens | None]:
        """통합인증-002, auth_type 1: the customer signs at an e-signature provider (사설인증서).

        The consent is to `scopes`, which include that of the lists anyway; the default is all scopes.
        """
        parties, terms = self._parties(at, SIGNATURE_CERTIFIER), build_terms(self._catalogue, at.industry, scopes)
        consent, tx_id = demand(terms, parties), parties.tx_id()
        try:
            signature, cert_tx_id = await self._request_signature(certifiers, get_ci(customer), consent, tx_id)
        except (Unsigned, *_CONNECTION_ERRORS) as error:
            problems = [f"the certifier: {_describe_exception(error)}"]
            return Call("통합인증-002", at.industry, at.org_code, "POST", _TOKEN, why=problems), None
        form = build_provider_form(
            parties, tx_id, get_ci(customer), consent, signature, cert_tx_id, lists=not terms.scopes
        )
        return await self._request_tokens("통합인증-002", at, form, customer)

    def _parties(self, at: Institution, certifier: str) -> Parties:
        return Parties(self._operator.org_code, at.org_code, RELAY_CODE, certifier, datetime.now(UTC))

    async def _authorize(self, at: Institution, ci: str) -> tuple[Call, str, dict[str, str]]:
        """Returns the call, the redirect URL, and the values that the callback must return unchanged."""
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
        url = f"{self._gateway}{call.path}"
        try:
            async with self._session.get(url, params=params, headers=headers, allow_redirects=False) as answer:
                content = await answer.read()
        except _CONNECTION_ERRORS as error:
            call.why = [_describe_exception(error)]
        else:
            call.status, call.ms = answer.status, (time.perf_counter() - started) * 1000
            location = answer.headers.get("Location", "")
            call.ok = answer.status == HTTPStatus.FOUND and "error=" not in location
            self._count(call, ok=call.ok)
            if not call.ok:
                call.why = [f"HTTP {answer.status} {location or content.decode(errors='replace')}"]
        return call, location, sent

    async def _request_tokens(
        self, api_id: str, at: Institution, form: Mapping[str, str], customer: Customer
    ) -> tuple[Call, Tokens | None]:
        call, body = await self._post(api_id, _TOKEN, at, form)
        if call.ok and form.get("tx_id") != body.get("tx_id"):
            call.ok, call.why = False, ["tx_id was not returned unchanged"]
        if call.ok and self._figures is not None:
            self._figures.count_consent(at.org_code, self._client_id, customer.number)
        return call, Tokens(body["access_token"], body["refresh_token"]) if call.ok else None

    async def _post(
        self, api_id: str, path: str, at: Institution, form: Mapping[str, str]
    ) -> tuple[Call, dict[str, Any]]:
        call, body = await self._send(api_id, path, at, form)
        if call.status:
            self._count(call, ok=call.status == HTTPStatus.OK and call.rsp_code in _SUCCESS_CODES)
        return call, body

    async def _send(
        self, api_id: str, path: str, at: Institution, form: Mapping[str, str]
    ) -> tuple[Call, dict[str, Any]]:
        call = Call(api_id, at.industry, at.org_code, "POST", path)
        credentials = {
            "org_code": at.org_code,
            "client_id": self._client_id,
            "client_secret": self._operator.client_secrets[self._service],
        }
        tran_id = self._tran_id()
        headers = {"x-api-tran-id": tran_id, "Content-Type": _FORM}
        started = time.perf_counter()
        try:
            async with self._session.post(
                f"{self._gateway}{path}", data={**form, **credentials}, headers=headers
            ) as answer:
                body = parse_object(await answer.read()) or {}
        except _CONNECTION_ERRORS as error:
            call.why = [_describe_exception(error)]
            return call, {}
        call.status, call.ms = answer.status, (time.perf_counter() - started) * 1000
        call.rsp_code = str(body.get("rsp_code", ""))
        if answer.status != HTTPStatus.OK:
            call.why = [f"HTTP {answer.status} {_describe_error(body)}"]
        else:
            call.why = list(self._check(self._catalogue.apis[api_id], body))
        if answer.headers.get("x-api-tran-id") != tran_id:
            call.why.append("x-api-tran-id was not returned unchanged")
        call.ok = not call.why
        return call, body

    async def _request_signature(self, certifiers: Certifiers, ci: str, consent: str, tx_id: str) -> tuple[str, str]:
        """통합인증-102 and -103. Returns the signature of the consent and the certifier's cert_tx_id."""
        form = {
            "grant_type": "client_credentials",
            "client_id": certifiers.client_id,
            "client_secret": certifiers.client_secret,
            "scope": "ca",
        }
        token = (await self._call_certifier(certifiers, "/oauth/2.0/token", data=form))["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        sign_tx_id = secrets.token_hex(20)
        fields = {
            "sign_tx_id": sign_tx_id,
            "user_ci": ci,
            "consent_list": [{"consent": consent, "tx_id": tx_id}],
        }
        accepted = await self._call_certifier(certifiers, "/v1/ca/sign_request", json=fields, headers=bearer)
        fields = {"cert_tx_id": accepted["cert_tx_id"], "sign_tx_id": sign_tx_id}
        result = await self._call_certifier(certifiers, "/v1/ca/sign_result", json=fields, headers=bearer)
        (signed,) = result["signed_consent_list"]
        return signed["signed_consent"], accepted["cert_tx_id"]

    async def _call_certifier(self, certifiers: Certifiers, path: str, **options: Any) -> dict[str, Any]:
        async with self._session.post(f"{certifiers.signature}{path}", **options) as answer:
            body = parse_object(await answer.read()) or {}
        if answer.status != HTTPStatus.OK:
            raise Unsigned(f"HTTP {answer.status} {_describe_error(body)} at {path}")
        return body

    @property
    def _client_id(self) -> str:
        return self._operator.client_ids[self._service]

    def _count(self, call: Call, *, ok: bool) -> None:
        if self._figures is not None:
            code = self._catalogue.apis[call.api_id].api_code
            self._figures.count_call(call.org_code, self._client_id, code, ok=ok, ms=call.ms)

    def _tran_id(self) -> str:
        return f"{self._operator.org_code}M{secrets.token_hex(7).upper()}"


def _find_redirect_problems(params: Mapping[str, str], sent: Mapping[str, str]) -> list[str]:
    """Returns reasons to reject a redirect to the callback (RFC 6749 4.1.2, 10.12)."""
    if "code" not in params:
        return [f"the callback received {params.get('error', 'no code')}"]
    return [f"{name} was not returned unchanged" for name, value in sent.items() if params.get(name) != value]


def _describe_error(body: Mapping[str, Any]) -> str:
    """Returns the error of a response, in the form of OAuth or of the data APIs."""
    parts = (body.get("error") or body.get("rsp_code"), body.get("error_description") or body.get("rsp_msg"))
    return ": ".join(str(word) for word in parts if word) or "no error code"


def _describe_exception(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if isinstance(error, _CONNECTION_ERRORS) else str(error)
