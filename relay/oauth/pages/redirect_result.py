"""The redirect flow's return: the institution showed its own page and returns the customer with a signed result.

The protocol is our own (docs/reference/individual-authentication.md); the standard leaves it to relays.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from relay.domain.authorization.consent import Particulars
from relay.domain.authorization.digest import digest_text
from relay.domain.authorization.request import AuthorizationRequest, RequestState
from relay.domain.korea import date_in_korea
from relay.domain.ledger import LedgerRefused, Reason
from relay.domain.strict_json import read_object
from relay.oauth.dependencies import AuthorityDependencies
from relay.oauth.pages.callbacks import Denial, RecentRedirects
from relay.oauth.pages.completion import (
    InvalidParticulars,
    complete_particulars,
    deny_request,
    record_consent,
    redirect_to_operator,
)
from relay.oauth.pages.error_pages import INVALID_RESULT, PageError
from relay.oauth.pages.forms import read_field, read_form
from relay.oauth.scopes import load_scopes
from relay.policy.consent.demand import DemandContext, DemandError, check_demand, read_demand
from relay.policy.settings.directory import AuthenticationMethod, Provider

ResultKeyLookup = Callable[[str], EllipticCurvePublicKey | None]
"""Returns the P-256 key with which an institution of the redirect flow signs, by org_code."""

MAX_LIFETIME_S: Final = 300
"""Maximum lifetime of a result in seconds: the browser delivers it at once."""

LEEWAY_S: Final = 5
_MAX_REQUEST_ID: Final = 128
_MAX_RESULT: Final = 32768
_CONSENTED: Final = "consented"
_DENIED: Final = "denied"


class RedirectResultHandler:
    """Handles signed results. The request's institution must have signed the result for this request."""

    def __init__(self, dependencies: AuthorityDependencies, get_key: ResultKeyLookup) -> None:
        self._dependencies = dependencies
        self._get_key = get_key
        self._redirects = RecentRedirects()

    async def handle(self, http: web.Request) -> web.Response:
        """Handles the POST: verifies the result and redirects to the operator. An invalid result changes nothing.

        It is not a GET, which would put the assets into a URL.
        """
        form = await read_form(http)
        request_id, result = read_field(form, "request_id", _MAX_REQUEST_ID), read_field(form, "result", _MAX_RESULT)
        digest = digest_text(result)
        now = self._dependencies.clock()
        recent = self._redirects.get(digest, now)
        if recent is not None:
            return redirect_to_operator(recent)
        request, provider = await self._load_request(request_id, int(now))
        claims = self._verify_result(request, result, int(now))
        location = await self._complete(request, provider, claims)
        self._redirects.remember(digest, location, now)
        return redirect_to_operator(location)

    async def _complete(self, request: AuthorizationRequest, provider: Provider, claims: Mapping[str, Any]) -> str:
        if claims["result"] == _DENIED:
            return await deny_request(self._dependencies, request, Denial.DENIED_BY_INSTITUTION)
        if not hmac.compare_digest(str(claims.get("ci_hash")).encode(), ci_hash(request).encode()):
            return await deny_request(self._dependencies, request, Denial.ANOTHER_CUSTOMER)
        particulars = _read_particulars(request, provider, claims.get("consent"), self._dependencies.clock())
        if request.state is RequestState.OPEN:  # already authenticated if this process failed between the two steps
            await self._dependencies.ledger.answer_request(
                request.request_id,
                RequestState.AUTHENTICATED,
                "institution_authenticated",
                int(self._dependencies.clock()),
            )
        return await record_consent(self._dependencies, request, particulars)

    async def _load_request(self, request_id: str, now: int) -> tuple[AuthorizationRequest, Provider]:
        request = await self._dependencies.ledger.load_request(request_id, None, now)
        provider = self._dependencies.settings.providers.get(request.provider)
        if provider is None or provider.authentication is not AuthenticationMethod.REDIRECT:
            raise LedgerRefused(Reason.REQUEST_UNKNOWN)
        return request, provider

    def _verify_result(self, request: AuthorizationRequest, result: str, now: int) -> dict[str, Any]:
        key = self._get_key(request.provider)
        if key is None:
            raise PageError(INVALID_RESULT)
        try:
            claims = read_object(jwt.PyJWS().decode(result, key=key, algorithms=["ES256"]))
        except (jwt.PyJWTError, ValueError) as error:
            raise PageError(INVALID_RESULT) from error
        if not _are_claims_valid(claims, request, self._dependencies.settings.relay, now):
            raise PageError(INVALID_RESULT)
        return claims


def ci_hash(request: AuthorizationRequest) -> str:
    """Returns the proof that the institution's customer has the CI of the request, valid for this request only.

    The CI itself must not pass through browsers.
    """
    digest = digest_text(f"{request.request_id}.{request.ci}")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _are_claims_valid(claims: Mapping[str, Any], request: AuthorizationRequest, relay: str, now: int) -> bool:
    """Returns whether the claims are from this institution, for this relay and request, and not expired."""
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    if type(issued_at) is not int or type(expires_at) is not int:  # not isinstance: bool is an int
        return False
    addressing = (claims.get("iss"), claims.get("aud"), claims.get("request_id"))
    return (
        addressing == (request.provider, relay, request.request_id)
        and claims.get("result") in (_CONSENTED, _DENIED)
        and issued_at - LEEWAY_S <= now < expires_at + LEEWAY_S
        and 0 < expires_at - issued_at <= MAX_LIFETIME_S
    )


def _read_particulars(request: AuthorizationRequest, provider: Provider, consent: object, now: float) -> Particulars:
    """Returns the particulars of the 전송요구내역 (JSON text)."""
    frame = DemandContext(
        request.provider, request.operator, load_scopes(provider.industry), request_type=None, today=date_in_korea(now)
    )
    try:
        demand = read_demand(consent.encode() if isinstance(consent, str) else b"")
        check_demand(demand, frame)
        return complete_particulars(demand.particulars, provider, now)
    except (DemandError, InvalidParticulars, UnicodeEncodeError) as error:
        raise PageError(INVALID_RESULT) from error
