"""Completes a request: records its result in the ledger, then returns the callback URL."""

from aiohttp import web

from relay.domain.authorization.consent import Particulars
from relay.domain.authorization.request import AuthorizationRequest, RequestState
from relay.domain.korea import date_in_korea
from relay.oauth.dependencies import AuthorityDependencies
from relay.oauth.pages.callbacks import Denial, build_code_record, build_code_url, build_consent, build_denial_url
from relay.oauth.scopes import load_scopes
from relay.policy.consent.particulars import add_list_scope, find_flaws
from relay.policy.settings.directory import Provider


class InvalidParticulars(Exception):
    """The particulars are not allowed in a consent. The text names their members, never a value."""


def complete_particulars(particulars: Particulars, provider: Provider, now: float) -> Particulars:
    """Returns the particulars with the list scope. Raises InvalidParticulars when they are not allowed now."""
    completed = add_list_scope(particulars, provider.industry)
    flaws = find_flaws(completed, load_scopes(provider.industry), date_in_korea(now))
    if flaws:
        raise InvalidParticulars(", ".join(flaw.member for flaw in flaws))
    return completed


async def record_consent(
    dependencies: AuthorityDependencies, request: AuthorizationRequest, particulars: Particulars
) -> str:
    """Records the consent to valid particulars and returns the callback URL with its code. Raises LedgerRefused.

    The ledger stores only the code's digest; the URL alone holds the code.
    """
    code, now = dependencies.random(), int(dependencies.clock())
    consent = build_consent(request, dependencies.random(), particulars, now)
    record = build_code_record(code, dependencies.settings.tokens.code_s, now)
    await dependencies.ledger.give_consent(request.request_id, consent, record, now)
    return build_code_url(request, code)


async def deny_request(dependencies: AuthorityDependencies, request: AuthorizationRequest, denial: Denial) -> str:
    """Records the denial and returns the callback URL with the error. Raises LedgerRefused."""
    await dependencies.ledger.answer_request(
        request.request_id, RequestState.DENIED, denial.value, int(dependencies.clock())
    )
    return build_denial_url(request, denial)


def redirect_to_operator(location: str) -> web.Response:
    """Returns the redirect to the operator. The standard requires 302 (규격 3.2.1)."""
    return web.Response(status=302, headers={"Location": location})
