"""The end of a request: written into the ledger first, then the callback that tells it to the operator."""

from functools import cache

from aiohttp import web

from relay.domain.authorization.consent import Particulars
from relay.domain.authorization.request import AuthorizationRequest, RequestState
from relay.oauth.pages.answers import Denial, code_record, consent_of, denied, granted
from relay.oauth.pages.choices import day_in_korea
from relay.oauth.services import Authority
from relay.policy.consent.particulars import Scopes, checked, scopes_of, with_list_scope
from relay.policy.settings.directory import Provider
from relay.standard.catalogue import load_catalogue


class Unsound(Exception):
    """The particulars are none that a consent may have; the text names their members, never a value."""


def scopes_at(provider: Provider) -> Scopes:
    """The scopes of the institution's industry."""
    return _scopes(provider.industry)


@cache
def _scopes(industry: str) -> Scopes:
    return scopes_of(industry, load_catalogue())


def sound(particulars: Particulars, provider: Provider, now: float) -> Particulars:
    """Particulars that may become a consent now, the list scope among them. Raises Unsound."""
    whole = with_list_scope(particulars, provider.industry)
    flaws = checked(whole, scopes_at(provider), day_in_korea(now))
    if flaws:
        raise Unsound(", ".join(flaw.member for flaw in flaws))
    return whole


async def give(authority: Authority, asked: AuthorizationRequest, particulars: Particulars) -> str:
    """Keep the consent to `sound` particulars with a code; the callback's URL with that code. Raises NotGranted.

    The ledger has only the code's digest, so the URL is the only place where it stands.
    """
    code, now = authority.random(), int(authority.clock())
    consent = consent_of(asked, authority.random(), particulars, now)
    record = code_record(code, authority.office.tokens.code_s, now)
    await authority.ledger.give_consent(asked.request_id, consent, record, now)
    return granted(asked, code)


async def deny(authority: Authority, asked: AuthorizationRequest, denial: Denial) -> str:
    """Write the denial down; the callback's URL with the error. Raises NotGranted."""
    await authority.ledger.answer_request(asked.request_id, RequestState.DENIED, denial.value, int(authority.clock()))
    return denied(asked, denial)


def away(location: str) -> web.Response:
    """The answer that sends the browser to the operator; 302 because the standard says so (규격 3.2.1)."""
    return web.Response(status=302, headers={"Location": location})
