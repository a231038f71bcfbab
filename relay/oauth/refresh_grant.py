"""grant_type refresh_token: issues a new access token while the consent lasts (개별인증-003; 개별인증 and 통합인증)."""

from typing import Final

from relay.domain.authorization.token import REFRESH, Claims, TokenExpired
from relay.domain.fault import Refusal
from relay.domain.ledger import LedgerRefused, Reason, TokenHolder
from relay.oauth.dependencies import AuthorityDependencies, TokenCall
from relay.oauth.issuing import TokenIssuer

REPEAT_S: Final = 30
"""Seconds in which a refresh token gets the same access token again, for operators that lost the response."""


async def refresh_access_token(dependencies: AuthorityDependencies, call: TokenCall) -> dict[str, str]:
    """Returns the response body; the refresh token does not change. Raises LedgerRefused."""
    claims = _read_claims(dependencies, call)
    holder = TokenHolder(call.client.service.client_id, call.provider.org_code)
    issuer = TokenIssuer.for_call(dependencies, call)
    consent, access = await dependencies.ledger.refresh(claims.jti, holder, issuer.issue_access, REPEAT_S, call.now)
    return issuer.build_access_body(consent, access)


def _read_claims(dependencies: AuthorityDependencies, call: TokenCall) -> Claims:
    """Returns the claims of our refresh token, even if expired: the ledger knows whether its consent ended too."""
    try:
        return dependencies.signer.read(call.form["refresh_token"], call.now, REFRESH)
    except TokenExpired as expired:
        return expired.claims
    except Refusal as refusal:
        raise LedgerRefused(Reason.REFRESH_UNKNOWN) from refusal
