"""Completes a request: records its result in the ledger, then returns the callback URL."""

from functools import cache

from aiohttp import web

from relay.domain.authorization.consent import Particulars
from relay.domain.authorization.request import AuthorizationRequest, RequestState
from relay.oauth.pages.callbacks import Denial, build_code_record, build_code_url, build_consent, build_denial_url
from relay.oauth.pages.choices import korean_date
from relay.oauth.services import AuthorityServices
from relay.policy.consent.particulars import Scopes, add_list_scope, find_flaws, get_scopes
from relay.policy.settings.directory import Provider
from relay.standard.catalogue import load_catalogue


class InvalidParticulars(Exception):
    """The particulars are not allowed in a consent. The text names their members, never a value."""


def scopes_at(provider: Provider) -> Scopes:
    """Returns the scopes of the institution's industry."""
    return _scopes(provider.industry)


@cache
def _scopes(industry: str) -> Scopes:
    return get_scopes(industry, load_catalogue())


def validate_particulars(particulars: Particulars, provider: Provider, now: float) -> Particulars:
    """Returns the particulars with the list scope. Raises InvalidParticulars when they are not allowed now."""
    completed = add_list_scope(particulars, provider.industry)
    flaws = find_flaws(completed, scopes_at(provider), korean_date(now))
    if flaws:
        raise InvalidParticulars(", ".join(flaw.member for flaw in flaws))
    return completed


async def grant_consent(services: AuthorityServices, request: AuthorizationRequest, particulars: Particulars) -> str:
    """Records the consent to valid particulars and returns the callback URL with its code. Raises Denied.

    The ledger stores only the code's digest; the URL alone holds the code.
    """
    code, now = services.random(), int(services.clock())
    consent = build_consent(request, services.random(), particulars, now)
    record = build_code_record(code, services.settings.tokens.code_s, now)
    await services.ledger.give_consent(request.request_id, consent, record, now)
    return build_code_url(request, code)


async def deny_request(services: AuthorityServices, request: AuthorizationRequest, denial: Denial) -> str:
    """Records the denial and returns the callback URL with the error. Raises Denied."""
    await services.ledger.answer_request(request.request_id, RequestState.DENIED, denial.value, int(services.clock()))
    return build_denial_url(request, denial)


def redirect_to_operator(location: str) -> web.Response:
    """Returns the redirect to the operator. The standard requires 302 (규격 3.2.1)."""
    return web.Response(status=302, headers={"Location": location})
