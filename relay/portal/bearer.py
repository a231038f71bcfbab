"""Authenticates the portal in 지원-102 to -104 by a token of 지원-101 (40101)."""

from typing import Final

from relay.domain.authorization.ports import TokenSigner
from relay.domain.authorization.token import MANAGE
from relay.domain.fault import FAULTS, Refusal
from relay.domain.ids import AUTHORIZATION_FORM
from relay.endpoint.calls import ForwardedCall
from relay.portal.dependencies import SupportSettings

_SCHEME: Final = "bearer "


def authenticate_portal(settings: SupportSettings, signer: TokenSigner, call: ForwardedCall, now: float) -> None:
    """Authenticates the portal by a call's Authorization, and writes its client into the note.

    Raises Refusal (40101, 40104). The token must be ours, for the support APIs, and for the portal and client_id of
    these settings: a new client_id ends the former tokens.
    """
    authorization = call.single_header("authorization")
    if not authorization:
        raise Refusal(FAULTS["token_missing"], AUTHORIZATION_FORM)
    if authorization[: len(_SCHEME)].lower() != _SCHEME or not authorization.isascii():
        raise Refusal(FAULTS["token_malformed"], AUTHORIZATION_FORM)
    claims = signer.read(authorization[len(_SCHEME) :], int(now), MANAGE)
    if (claims.aud, claims.client_id) != (settings.portal.org_code, settings.portal.offers.client_id):
        raise Refusal(FAULTS["token_of_other_operator"])
    if claims.org_code != settings.relay:
        raise Refusal(FAULTS["token_of_other_provider"])
    if MANAGE not in claims.scopes:
        raise Refusal(FAULTS["scope_missing"], MANAGE)
    call.note.operator, call.note.client_id = claims.aud, claims.client_id
