"""Client authentication at token and revocation endpoint: client_secret and the operator's connection (규격 3.1)."""

from collections.abc import Mapping
from typing import Final

from relay.endpoint.calls import ForwardedCall
from relay.endpoint.errors import OAuthRefusal
from relay.oauth.dependencies import AuthorityDependencies, Client, OAuthSettings, TokenCall
from relay.policy.settings.directory import Provider

INVALID_CLIENT: Final = "client_id 또는 client_secret이 올바르지 않습니다"
"""The description for an unknown client and for a wrong secret alike."""


def get_provider(settings: OAuthSettings, call: ForwardedCall, form: Mapping[str, str]) -> Provider:
    """Returns the institution of `org_code`. Raises OAuthRefusal invalid_request when it is unknown (core 2.1)."""
    provider = settings.providers.get(form["org_code"])
    if provider is None:
        raise OAuthRefusal.from_fault("provider_unknown", "org_code")
    call.note.provider = provider.org_code
    return provider


async def authenticate_client(
    dependencies: AuthorityDependencies, call: ForwardedCall, form: Mapping[str, str]
) -> TokenCall:
    """Returns the call with its provider and client. `form` must be validated.

    Raises OAuthRefusal: invalid_request for an unknown institution; invalid_client, with equal text and cost for an
    unknown client and a wrong secret; unauthorized_client when the connection does not act for the client's operator.
    Raises QueueFull.
    """
    settings = dependencies.settings
    provider = get_provider(settings, call, form)
    client = settings.clients.get(form["client_id"])
    if client is not None:
        note_client(call, client)
    secret_hash = client.secret_hash if client is not None else ""
    caller = ",".join(sorted(call.operators))  # not the named client: a caller must fill only its own queue
    is_right = await dependencies.secrets.matches(caller, secret_hash, form["client_secret"])
    if client is None or not secret_hash or not is_right:
        raise OAuthRefusal("invalid_client", INVALID_CLIENT)
    if client.service.operator not in call.operators:
        raise build_unauthorized_client(call)
    return TokenCall(
        form, client, provider, int(dependencies.clock())
    )  # the clock is read after the wait for the check


def note_client(call: ForwardedCall, client: Client) -> None:
    """Notes client and operator for the record of the call, if the connection acts for that operator."""
    if client.service.operator in call.operators:
        call.note.client_id, call.note.operator = client.service.client_id, client.service.operator


def build_unauthorized_client(call: ForwardedCall) -> OAuthRefusal:
    """Returns the refusal of a connection that does not act for the client's operator (IP 주소, SERIALNUMBER)."""
    return OAuthRefusal(
        "unauthorized_client",
        "client_id를 등록한 기관의 인증서와 IP 주소가 아닙니다",
        reason=call.fault_name or "unauthorized_client",
    )
