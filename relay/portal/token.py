"""지원-101: issues the token for the support APIs to the portal (core 2.2, 3.6; RFC 6749 4.4)."""

from typing import Final

from relay.domain.authorization.token import MANAGE
from relay.domain.korea import DAY_S
from relay.endpoint.calls import EndpointResponse, ForwardedCall
from relay.endpoint.errors import OAuthRefusal
from relay.endpoint.forms import parse_form, validate_fields
from relay.portal.dependencies import SupportDependencies, SupportSettings

_GRANT: Final = "client_credentials"


async def issue_token(support: SupportDependencies, settings: SupportSettings, call: ForwardedCall) -> EndpointResponse:
    """Returns a token for the portal. Raises OAuthRefusal, QueueFull.

    An unknown client_id takes as long and gets the same response as a wrong secret: the hash is compared in both cases.
    """
    now, portal = int(support.clock()), settings.portal
    form = parse_form(call)
    grant_type, scope = form.get("grant_type"), form.get("scope")
    if grant_type and grant_type != _GRANT:
        raise OAuthRefusal("unsupported_grant_type", f"지원하지 않는 grant_type입니다: grant_type ({_GRANT})")
    if scope and scope != MANAGE:
        raise OAuthRefusal("invalid_scope", f"허용되지 않는 scope입니다: scope ({MANAGE})")
    validate_fields("지원-101", form)
    if portal.org_code not in call.operators:
        raise OAuthRefusal("unauthorized_client", "종합포털의 인증서와 IP 주소가 아닙니다", reason=call.fault_name)
    is_known_client = form["client_id"] == portal.offers.client_id
    is_secret_valid = await support.secrets.matches(
        portal.org_code, portal.offers.client_secret_hash, form["client_secret"]
    )
    if not is_known_client or not is_secret_valid:
        raise OAuthRefusal("invalid_client", "client_id 또는 client_secret이 올바르지 않습니다")
    call.note.operator, call.note.client_id = portal.org_code, portal.offers.client_id
    lifetime_s = portal.offers.token_days * DAY_S
    encoded, _ = support.signer.sign(_build_claims(settings, support.random(), now, lifetime_s), now)
    return EndpointResponse(
        200, {"token_type": "Bearer", "access_token": encoded, "expires_in": str(lifetime_s), "scope": MANAGE}
    )


def _build_claims(settings: SupportSettings, jti: str, now: int, lifetime_s: int) -> dict[str, object]:
    """Returns the claims: the standard's five, times, the client, and the use for the support APIs only."""
    return {
        "iss": settings.issuer,
        "aud": settings.portal.org_code,
        "jti": jti,
        "iat": now,
        "exp": now + lifetime_s,
        "scope": MANAGE,
        "org_code": settings.relay,
        "client_id": settings.portal.offers.client_id,
        "use": MANAGE,
    }
