"""POST /oauth/2.0/revoke: the customer withdrew the consent (개별인증-004; RFC 7009)."""

from typing import Final

from relay.domain.fault import Refusal
from relay.domain.ledger import Holder
from relay.endpoint.calls import Answer, Call
from relay.endpoint.forms import form_of, hold
from relay.oauth.clients import identified
from relay.oauth.services import Authority, TokenCall

_API: Final = "개별인증-004"
_REVOKED: Final = Answer(200, {"rsp_code": "00000", "rsp_msg": "접근토큰을 폐기하였습니다"})
_INVALID: Final = Answer(200, {"rsp_code": "99999", "rsp_msg": "유효하지 않은 토큰입니다"})
"""RFC 7009 2.2: there is nothing to be done about a token that is none, so it is no error."""


async def revoke(authority: Authority, call: Call) -> Answer:
    """Withdraw the consent behind a token, and all its tokens with it.

    Any token that was issued to this client for this institution will do, expired and replaced ones and refresh tokens
    too: operators take 99999 as done, so a customer's withdrawal must never end in it while the consent is in force.
    A token that is not ours, another's, or of a consent that is over gets 99999 and changes nothing. Raises
    OAuthRefusal, Unreachable.
    """
    call.note.api_code = "AU04"
    form = form_of(call)
    hold(_API, form)
    asked = await identified(authority, call, form)
    call.note.reason = await _withdrawn(authority, asked)
    return _INVALID if call.note.reason else _REVOKED


async def _withdrawn(authority: Authority, asked: TokenCall) -> str:
    """Withdraw; "" when it is done, else the name of the fault that stands against it."""
    holder = Holder(asked.client.service.client_id, asked.provider.org_code)
    try:
        claims = authority.signer.issued(asked.form["token"])
    except Refusal as refusal:
        return refusal.fault.name
    if claims.client_id != holder.client_id:
        return "token_of_other_operator"
    if claims.org_code != holder.provider:
        return "token_of_other_provider"
    return "" if await authority.ledger.withdraw(claims.jti, holder, asked.now) else "token_revoked"
