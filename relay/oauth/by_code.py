"""grant_type authorization_code: exchanges a code for a token pair (개별인증-002; RFC 6749 4.1.3)."""

import hashlib

from relay.domain.ledger import Holder
from relay.oauth.issuing import TokenIssuer
from relay.oauth.services import Authority, TokenCall


def hash_code(code: str) -> bytes:
    """Returns the SHA-256 of a code; the ledger stores nothing else of it."""
    return hashlib.sha256(code.encode()).digest()


async def redeem_code(services: Authority, call: TokenCall) -> dict[str, str]:
    """Returns the response body.

    Raises NotGranted when the code is unknown, spent, expired, of another client, or of another callback.
    """
    holder = Holder(call.client.service.client_id, call.provider.org_code)
    issuer = TokenIssuer.for_call(services, call)
    consent, pair = await services.ledger.spend_code(
        hash_code(call.form["code"]), holder, call.form["redirect_uri"], issuer.issue_pair, call.now
    )
    return issuer.build_pair_body(consent, pair)
