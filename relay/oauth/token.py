"""POST /oauth/2.0/token: one URI, one handler for each grant (개별인증-002, -003, 통합인증-002; RFC 6749 3.2)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from relay.endpoint.calls import Answer, Call
from relay.endpoint.errors import OAuthRefusal
from relay.endpoint.forms import form_of, hold
from relay.oauth import by_code, by_refresh, by_signature
from relay.oauth.clients import identified
from relay.oauth.services import Authority, TokenCall


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant_type: the API whose fields its form has, that API's code, and who grants."""

    api_id: str
    api_code: str
    grant: Callable[[Authority, TokenCall], Awaitable[dict[str, str]]]


GRANTS: Final[Mapping[str, Grant]] = {
    "authorization_code": Grant("개별인증-002", "AU02", by_code.grant),
    "refresh_token": Grant("개별인증-003", "AU03", by_refresh.grant),
    "password": Grant("통합인증-002", "AU11", by_signature.grant),
}

_GRANT_TYPE_FORM: Final = f"grant_type ({', '.join(GRANTS)} 중 하나)"


async def token(authority: Authority, call: Call) -> Answer:
    """Tokens for a grant. Raises OAuthRefusal, NotGranted, Unreachable."""
    form = form_of(call)
    asked = form.get("grant_type", "")
    if not asked:
        raise OAuthRefusal.of("parameter_missing", _GRANT_TYPE_FORM)
    row = GRANTS.get(asked)
    if row is None:
        raise OAuthRefusal("unsupported_grant_type", f"지원하지 않는 grant_type입니다: {_GRANT_TYPE_FORM}")
    call.note.api_code = row.api_code
    hold(row.api_id, form)
    return Answer(200, await row.grant(authority, await identified(authority, call, form)))
