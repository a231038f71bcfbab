"""grant_type authorization_code: a code of the pages becomes a pair of tokens (개별인증-002; RFC 6749 4.1.3)."""

import hashlib

from relay.domain.ledger import Holder
from relay.oauth.issuing import Mint
from relay.oauth.services import Authority, TokenCall


def digest_of(code: str) -> bytes:
    """What the ledger knows of a code: its SHA-256."""
    return hashlib.sha256(code.encode()).digest()


async def grant(authority: Authority, call: TokenCall) -> dict[str, str]:
    """The answer's body. Raises NotGranted: the code is unknown, spent, expired, another's, or of another callback."""
    holder = Holder(call.client.service.client_id, call.provider.org_code)
    mint = Mint.of(authority, call)
    consent, pair = await authority.ledger.spend_code(
        digest_of(call.form["code"]), holder, call.form["redirect_uri"], mint.pair, call.now
    )
    return mint.pair_answer(consent, pair)
