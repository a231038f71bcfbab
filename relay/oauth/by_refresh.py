"""grant_type refresh_token: a new access token while the consent lasts (개별인증-003, both kinds of authentication)."""

from typing import Final

from relay.domain.authorization.token import REFRESH, Claims, Expired
from relay.domain.fault import Refusal
from relay.domain.ledger import Holder, NotGranted, Why
from relay.oauth.issuing import Mint
from relay.oauth.services import Authority, TokenCall

AGAIN_S: Final = 30
"""So long the same refresh token gets the same access token again: an operator that lost the answer asks once more."""


async def grant(authority: Authority, call: TokenCall) -> dict[str, str]:
    """The answer's body; the refresh token stays as it is. Raises NotGranted."""
    claims = _claims(authority, call)
    holder = Holder(call.client.service.client_id, call.provider.org_code)
    mint = Mint.of(authority, call)
    consent, access = await authority.ledger.refresh(claims.jti, holder, mint.refreshed, AGAIN_S, call.now)
    return mint.access_answer(consent, access)


def _claims(authority: Authority, call: TokenCall) -> Claims:
    """Claims of a refresh token of ours. Of an expired one, too: the ledger knows whether its consent ended with it."""
    try:
        return authority.signer.read(call.form["refresh_token"], call.now, REFRESH)
    except Expired as expired:
        return expired.claims
    except Refusal as refusal:
        raise NotGranted(Why.REFRESH_UNKNOWN) from refusal
