"""The redirect way's return: the institution showed its own page and sends the customer back with a signed result.

Our own protocol, documented in docs/reference/individual-authentication.md; the standard leaves this side to relays.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from relay.domain.authorization.consent import Particulars
from relay.domain.authorization.request import AuthorizationRequest, RequestState
from relay.domain.ledger import NotGranted, Why
from relay.domain.strict_json import read_object
from relay.oauth.pages.answers import Denial, LastAnswers
from relay.oauth.pages.choices import day_in_korea
from relay.oauth.pages.completion import Unsound, away, deny, give, scopes_at, sound
from relay.oauth.pages.forms import form_of, one
from relay.oauth.pages.problems import RESULT_WRONG, Hindered
from relay.oauth.services import Authority
from relay.policy.consent.demand import DemandFault, Frame, fit, read_demand
from relay.policy.settings.directory import Authentication, Provider

InstitutionKey = Callable[[str], EllipticCurvePublicKey | None]
"""The P-256 key that an institution of the redirect way signs with, by its org_code."""

LIFE_MOST_S: Final = 300
"""A result is carried by a browser at once; one that lives longer was not meant for this."""

LEEWAY_S: Final = 5
_REQUEST_ID_MOST: Final = 128
_RESULT_MOST: Final = 32768
_CONSENTED: Final = "consented"
_DENIED: Final = "denied"


class Returned:
    """The handler. The result must be signed by the request's institution for this request, and fit it."""

    def __init__(self, authority: Authority, key_of: InstitutionKey) -> None:
        self._authority = authority
        self._key_of = key_of
        self._last = LastAnswers()

    async def take(self, http: web.Request) -> web.Response:
        """POST: verify, judge, and back to the operator. A result that is not good leaves the request as it was.

        Not GET: the assets would stand in a URL.
        """
        form = await form_of(http)
        request_id, result = one(form, "request_id", _REQUEST_ID_MOST), one(form, "result", _RESULT_MOST)
        sent = hashlib.sha256(result.encode()).digest()
        now = self._authority.clock()
        again = self._last.find(sent, now)
        if again is not None:
            return away(again)
        asked, provider = await self._asked(request_id, int(now))
        claims = self._claims(asked, result, int(now))
        location = await self._end(asked, provider, claims)
        self._last.keep(sent, location, now)
        return away(location)

    async def _end(self, asked: AuthorizationRequest, provider: Provider, claims: Mapping[str, Any]) -> str:
        if claims["result"] == _DENIED:
            return await deny(self._authority, asked, Denial.DENIED_THERE)
        if not hmac.compare_digest(str(claims.get("ci_hash")).encode(), ci_hash(asked).encode()):
            return await deny(self._authority, asked, Denial.ANOTHER_CUSTOMER)
        particulars = _particulars(asked, provider, claims.get("consent"), self._authority.clock())
        if asked.state is RequestState.OPEN:  # authenticated already when we fell between the two steps
            await self._authority.ledger.answer_request(
                asked.request_id, RequestState.AUTHENTICATED, "institution_authenticated", int(self._authority.clock())
            )
        return await give(self._authority, asked, particulars)

    async def _asked(self, request_id: str, now: int) -> tuple[AuthorizationRequest, Provider]:
        asked = await self._authority.ledger.request(request_id, None, now)
        provider = self._authority.office.providers.get(asked.provider)
        if provider is None or provider.authentication is not Authentication.REDIRECT:
            raise NotGranted(Why.REQUEST_UNKNOWN)
        return asked, provider

    def _claims(self, asked: AuthorizationRequest, result: str, now: int) -> dict[str, Any]:
        key = self._key_of(asked.provider)
        if key is None:
            raise Hindered(RESULT_WRONG)
        try:
            claims = read_object(jwt.PyJWS().decode(result, key=key, algorithms=["ES256"]))
        except (jwt.PyJWTError, ValueError) as error:
            raise Hindered(RESULT_WRONG) from error
        if not _meant(claims, asked, self._authority.office.relay, now):
            raise Hindered(RESULT_WRONG)
        return claims


def ci_hash(asked: AuthorizationRequest) -> str:
    """What tells that the institution's customer has the CI of the request: good for this request and nothing else.

    The CI itself would pass through browsers and whatever watches them.
    """
    digest = hashlib.sha256(f"{asked.request_id}.{asked.ci}".encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _meant(claims: Mapping[str, Any], asked: AuthorizationRequest, relay: str, now: int) -> bool:
    """Whether the claims are of this institution, for us, about this request, and fresh."""
    begins, ends = claims.get("iat"), claims.get("exp")
    if type(begins) is not int or type(ends) is not int:  # bool is an int, and no time
        return False
    told = (claims.get("iss"), claims.get("aud"), claims.get("request_id"))
    return (
        told == (asked.provider, relay, asked.request_id)
        and claims.get("result") in (_CONSENTED, _DENIED)
        and begins - LEEWAY_S <= now < ends + LEEWAY_S
        and 0 < ends - begins <= LIFE_MOST_S
    )


def _particulars(asked: AuthorizationRequest, provider: Provider, consent: object, now: float) -> Particulars:
    """The particulars of 전송요구내역 (JSON text)."""
    frame = Frame(asked.provider, asked.operator, scopes_at(provider), request_type=None, today=day_in_korea(now))
    try:
        demand = read_demand(consent.encode() if isinstance(consent, str) else b"")
        fit(demand, frame)
        return sound(demand.particulars, provider, now)
    except (DemandFault, Unsound, UnicodeEncodeError) as error:
        raise Hindered(RESULT_WRONG) from error
