"""Who asks 지원-102 to -104: the portal, by a token that 지원-101 gave it (40101)."""

from typing import Final

from relay.domain.authorization.token import MANAGE
from relay.domain.fault import FAULTS, Refusal
from relay.endpoint.calls import Call
from relay.portal.services import Signer, SupportOffice

_SCHEME: Final = "bearer "


def check_bearer(office: SupportOffice, signer: Signer, call: Call, now: float) -> None:
    """Hold a call's Authorization to the office, noting whose it is. Raises Refusal (40101, 40104).

    The token must be ours, for the support APIs, and stand for the portal and the credential of these settings: when
    the portal is given another client_id, its former tokens end.
    """
    sent = call.header("authorization")
    if not sent:
        raise Refusal(FAULTS["token_missing"])
    if sent[: len(_SCHEME)].lower() != _SCHEME or not sent.isascii():
        raise Refusal(FAULTS["token_malformed"])
    claims = signer.read(sent[len(_SCHEME) :], int(now), MANAGE)
    if (claims.aud, claims.client_id) != (office.portal.org_code, office.portal.offers.client_id):
        raise Refusal(FAULTS["token_of_other_operator"])
    if claims.org_code != office.relay:
        raise Refusal(FAULTS["token_of_other_provider"])
    if MANAGE not in claims.scopes:
        raise Refusal(FAULTS["scope_missing"], MANAGE)
    call.note.operator, call.note.client_id = claims.aud, claims.client_id
