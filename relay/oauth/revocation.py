"""POST /oauth/2.0/revoke: withdraws the consent of a token (개별인증-004; RFC 7009)."""

from typing import Final

from relay.domain.api import SUCCESS
from relay.domain.fault import Refusal
from relay.domain.ledger import TokenHolder
from relay.endpoint.calls import EndpointResponse, ForwardedCall
from relay.endpoint.forms import parse_form, validate_fields
from relay.oauth.clients import authenticate_client
from relay.oauth.dependencies import AuthorityDependencies, TokenCall

_API: Final = "개별인증-004"
_REVOKED: Final = EndpointResponse(200, {"rsp_code": SUCCESS, "rsp_msg": "접근토큰을 폐기하였습니다"})
_INVALID: Final = EndpointResponse(200, {"rsp_code": "99999", "rsp_msg": "유효하지 않은 토큰입니다"})
"""An invalid token is no error: there is nothing to revoke (RFC 7009 2.2)."""


async def revoke(dependencies: AuthorityDependencies, call: ForwardedCall) -> EndpointResponse:
    """Withdraws the consent of a token, and revokes all tokens of the consent.

    Accepts any token issued to this client for this institution: access or refresh token, expired or replaced.
    Operators take 99999 as done, so it must not answer a withdrawal while the consent is in force. A foreign token, or
    one of an ended consent, gets 99999 and changes nothing. Raises OAuthRefusal, LedgerDown.
    """
    call.note.api_code = "AU04"
    form = parse_form(call)
    validate_fields(_API, form)
    token_call = await authenticate_client(dependencies, call, form)
    call.note.reason = await _withdraw(dependencies, token_call)
    return _INVALID if call.note.reason else _REVOKED


async def _withdraw(dependencies: AuthorityDependencies, token_call: TokenCall) -> str:
    """Withdraws the consent. Returns "" when done, else the name of the fault that prevents it."""
    holder = TokenHolder(token_call.client.service.client_id, token_call.provider.org_code)
    try:
        claims = dependencies.signer.issued(token_call.form["token"])
    except Refusal as refusal:
        return refusal.fault.name
    if claims.client_id != holder.client_id:
        return "token_of_other_operator"
    if claims.org_code != holder.provider:
        return "token_of_other_provider"
    return "" if await dependencies.ledger.withdraw(claims.jti, holder, token_call.now) else "token_revoked"
