"""grant_type authorization_code: exchanges a code for a token pair (개별인증-002; RFC 6749 4.1.3)."""

import hashlib

from relay.domain.ledger import TokenHolder
from relay.oauth.issuing import TokenIssuer
from relay.oauth.services import AuthorityServices, TokenCall


def hash_code(code: str) -> bytes:
    """Returns the SHA-256 of a code; the ledger stores nothing else of it."""
    return hashlib.sha256(code.encode()).digest()


async def redeem_code(services: AuthorityServices, call: TokenCall) -> dict[str, str]:
    """Returns the response body.

    Raises Denied when the code is unknown, spent, expired, of another client, or of another callback.
    """
    holder = TokenHolder(call.client.service.client_id, call.provider.org_code)
    issuer = TokenIssuer.for_call(services, call)
    consent, pair = await services.ledger.spend_code(
        hash_code(call.form["code"]), holder, call.form["redirect_uri"], issuer.issue_pair, call.now
    )
    return issuer.build_pair_body(consent, pair)
