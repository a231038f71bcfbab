"""Who calls the token endpoint: the service it names, by its secret, over a connection of its operator (규격 3.1)."""

from collections.abc import Mapping
from typing import Final

from relay.endpoint.calls import Call
from relay.endpoint.errors import OAuthRefusal
from relay.oauth.services import Authority, Client, Office, TokenCall
from relay.policy.settings.directory import Provider

INVALID_CLIENT: Final = "client_id 또는 client_secret이 올바르지 않습니다"
"""Said of a client that is not known and of a wrong secret alike."""


def member(office: Office, call: Call, form: Mapping[str, str]) -> Provider:
    """The institution that `org_code` names. Raises OAuthRefusal invalid_request when it is none of ours (core 2.1)."""
    provider = office.providers.get(form["org_code"])
    if provider is None:
        raise OAuthRefusal.of("provider_unknown", "org_code")
    call.note.provider = provider.org_code
    return provider


async def identified(authority: Authority, call: Call, form: Mapping[str, str]) -> TokenCall:
    """The call with provider and client, both known. `form` was held to its API.

    Raises OAuthRefusal: invalid_request for an institution that is none of ours; invalid_client, which says and costs
    the same for a client nobody knows and for a wrong secret; unauthorized_client when the client's operator is none
    of those that the connection speaks for. Raises Crowded.
    """
    office = authority.office
    provider = member(office, call, form)
    client = office.clients.get(form["client_id"])
    if client is not None:
        note(call, client)
    known = client.secret_hash if client is not None else ""
    whose = ",".join(sorted(call.operators))  # who calls, not who is named: nobody may wait in another's lane
    fits = await authority.secrets.fit(whose, known, form["client_secret"])
    if client is None or not known or not fits:
        raise OAuthRefusal("invalid_client", INVALID_CLIENT)
    if client.service.operator not in call.operators:
        raise strange(call)
    return TokenCall(form, client, provider, int(authority.clock()))  # of now: the secret waited for its turn


def note(call: Call, client: Client) -> None:
    """Write down the client that the call names, and its operator, when the connection speaks for that operator."""
    if client.service.operator in call.operators:
        call.note.client_id, call.note.operator = client.service.client_id, client.service.operator


def strange(call: Call) -> OAuthRefusal:
    """The refusal of a caller who does not speak for the client's operator (IP 주소, SERIALNUMBER)."""
    return OAuthRefusal(
        "unauthorized_client",
        "client_id를 등록한 기관의 인증서와 IP 주소가 아닙니다",
        reason=call.fault or "unauthorized_client",
    )
