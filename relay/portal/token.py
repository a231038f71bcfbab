"""지원-101: the one token that opens the support APIs to the portal (core 2.2, 3.6; RFC 6749 4.4)."""

from typing import Final

from relay.domain.authorization.token import MANAGE
from relay.endpoint.calls import Answer, Call
from relay.endpoint.errors import OAuthRefusal
from relay.endpoint.forms import form_of, hold
from relay.portal.services import Support, SupportOffice

_GRANT: Final = "client_credentials"
_DAY_S: Final = 86_400


async def token(support: Support, office: SupportOffice, call: Call) -> Answer:
    """A token for the portal. Raises OAuthRefusal, Crowded.

    A client_id nobody knows costs and says the same as a wrong secret: the one hash there is gets compared.
    """
    now, portal = int(support.clock()), office.portal
    form = form_of(call)
    granted, scope = form.get("grant_type"), form.get("scope")
    if granted and granted != _GRANT:
        raise OAuthRefusal("unsupported_grant_type", f"지원하지 않는 grant_type입니다: grant_type ({_GRANT})")
    if scope and scope != MANAGE:
        raise OAuthRefusal("invalid_scope", f"허용되지 않는 scope입니다: scope ({MANAGE})")
    hold("지원-101", form)
    if portal.org_code not in call.operators:
        raise OAuthRefusal("unauthorized_client", "종합포털의 인증서와 IP 주소가 아닙니다", reason=call.fault)
    known = form["client_id"] == portal.offers.client_id
    fits = await support.secrets.fit(portal.org_code, portal.offers.client_secret_hash, form["client_secret"])
    if not known or not fits:
        raise OAuthRefusal("invalid_client", "client_id 또는 client_secret이 올바르지 않습니다")
    call.note.operator, call.note.client_id = portal.org_code, portal.offers.client_id
    lasts = portal.offers.token_days * _DAY_S
    signed, _ = support.signer.sign(_claims(office, support.random(), now, lasts), now)
    return Answer(200, {"token_type": "Bearer", "access_token": signed, "expires_in": str(lasts), "scope": MANAGE})


def _claims(office: SupportOffice, jti: str, now: int, lasts: int) -> dict[str, object]:
    """What it says: the standard's five, when, whose credential it stands for, and that it opens nothing else."""
    return {
        "iss": office.issuer,
        "aud": office.portal.org_code,
        "jti": jti,
        "iat": now,
        "exp": now + lasts,
        "scope": MANAGE,
        "org_code": office.relay,
        "client_id": office.portal.offers.client_id,
        "use": MANAGE,
    }
