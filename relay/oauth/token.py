"""POST /oauth/2.0/token: a handler for each grant_type (개별인증-002, -003, 통합인증-002; RFC 6749 3.2)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from relay.endpoint.calls import EndpointResponse, ForwardedCall
from relay.endpoint.errors import OAuthRefusal
from relay.endpoint.forms import parse_form, validate_fields
from relay.oauth.clients import authenticate_client
from relay.oauth.code_grant import redeem_code
from relay.oauth.dependencies import AuthorityDependencies, TokenCall
from relay.oauth.refresh_grant import refresh_access_token
from relay.oauth.signed_consent_grant import issue_for_consent


@dataclass(frozen=True, slots=True)
class GrantType:
    """A grant_type: the API that defines its form, that API's code, and its handler."""

    api_id: str
    api_code: str
    handle: Callable[[AuthorityDependencies, TokenCall], Awaitable[dict[str, str]]]


GRANT_TYPES: Final[Mapping[str, GrantType]] = {
    "authorization_code": GrantType("개별인증-002", "AU02", redeem_code),
    "refresh_token": GrantType("개별인증-003", "AU03", refresh_access_token),
    "password": GrantType("통합인증-002", "AU11", issue_for_consent),
}

_GRANT_TYPE_FORM: Final = f"grant_type ({', '.join(GRANT_TYPES)} 중 하나)"


async def issue_token(dependencies: AuthorityDependencies, call: ForwardedCall) -> EndpointResponse:
    """Returns the tokens of a grant. Raises OAuthRefusal, LedgerRefused, LedgerDown."""
    form = parse_form(call)
    name = form.get("grant_type", "")
    if not name:
        raise OAuthRefusal.from_fault("parameter_missing", _GRANT_TYPE_FORM)
    grant_type = GRANT_TYPES.get(name)
    if grant_type is None:
        raise OAuthRefusal("unsupported_grant_type", f"지원하지 않는 grant_type입니다: {_GRANT_TYPE_FORM}")
    call.note.api_code = grant_type.api_code
    validate_fields(grant_type.api_id, form)
    return EndpointResponse(
        200, await grant_type.handle(dependencies, await authenticate_client(dependencies, call, form))
    )
