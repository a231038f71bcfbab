"""grant_type authorization_code: exchanges a code for a token pair (개별인증-002; RFC 6749 4.1.3)."""

from relay.domain.authorization.digest import digest_text
from relay.domain.ledger import TokenHolder
from relay.oauth.dependencies import AuthorityDependencies, TokenCall
from relay.oauth.issuing import TokenIssuer


async def redeem_code(dependencies: AuthorityDependencies, call: TokenCall) -> dict[str, str]:
    """Returns the response body.

    Raises LedgerRefused when the code is unknown, spent, expired, of another client, or of another callback.
    """
    holder = TokenHolder(call.client.service.client_id, call.provider.org_code)
    issuer = TokenIssuer.for_call(dependencies, call)
    consent, pair = await dependencies.ledger.spend_code(
        digest_text(call.form["code"]), holder, call.form["redirect_uri"], issuer.issue_pair, call.now
    )
    return issuer.build_pair_body(consent, pair)
