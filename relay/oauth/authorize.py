"""GET /oauth/2.0/authorize: an operator asks for a customer's authorization (개별인증-001; RFC 6749 4.1.1, 4.1.2.1)."""

import re
from typing import Final

from relay.domain.authorization.request import AuthorizationRequest
from relay.domain.ids import TRAN_ID_FORM
from relay.endpoint.calls import Answer, Call
from relay.endpoint.errors import OAuthRefusal, refusal_of
from relay.endpoint.forms import Fields, hold, read_fields
from relay.oauth.clients import member, note, strange
from relay.oauth.flows import NOT_OFFERED, begun
from relay.oauth.redirects import way_back
from relay.oauth.services import Authority, Client, Office
from relay.policy.call.fields import check_of
from relay.policy.settings.directory import Authentication
from relay.standard.catalogue import load_catalogue

_API: Final = "개별인증-001"
_CI: Final = "x-user-ci"
_CI_FORM: Final = "x-user-ci (B64(100))"
_STATE: Final = re.compile(r"[0-9A-Za-z]{1,40}")
_ECHO: Final = re.compile(r"[!-~]{1,64}")
_HEADER_FAULTS: Final = frozenset({"header_missing", "header_malformed", "tran_id_of_other_operator"})
"""What the gateway found wrong with `x-api-tran-id`."""


async def authorize(authority: Authority, call: Call) -> Answer:
    """Keep the request and send the customer on their way.

    Raises OAuthRefusal when there is no callback to trust (never redirects then: the relay would send customers
    wherever a stranger wants) or when the institution offers no individual authentication. Every other refusal goes to
    the callback.
    """
    call.note.api_code = "AU01"
    office, fields = authority.office, read_fields(call.query or "")
    client = _client(office, call, fields)
    try:
        request = _request(authority, office, call, fields, client)
        await authority.ledger.open_request(request)
        status, headers, body = begun(authority, office.providers[request.provider], request)
        return Answer(status, body, headers)
    except Exception as error:
        refusal = refusal_of(error)
        if refusal.error == "method_not_allowed":
            raise
        call.note.reason, call.note.error = refusal.reason, refusal.error
        return Answer(302, None, {"Location": _told(refusal, fields, call)})


def _client(office: Office, call: Call, fields: Fields) -> Client:
    """The client that is named, when the callback is one of those registered for it, character by character."""
    client = office.clients.get(fields.values.get("client_id", ""))
    if client is None:
        raise OAuthRefusal("invalid_request", "등록되지 않은 client_id입니다", reason="client_unknown")
    note(call, client)
    if fields.values.get("redirect_uri") not in client.service.callbacks:
        raise OAuthRefusal(
            "invalid_request", "해당 client_id에 등록되지 않은 redirect_uri입니다", reason="redirect_uri_unknown"
        )
    return client


def _request(authority: Authority, office: Office, call: Call, fields: Fields, client: Client) -> AuthorizationRequest:
    values, now = fields.values, int(authority.clock())
    if call.fault in _HEADER_FAULTS or not (call.fault or call.tran_id):
        reason = call.fault or "header_malformed"
        raise OAuthRefusal.of(reason, TRAN_ID_FORM)
    if call.fault or client.service.operator not in call.operators:
        raise strange(call)
    if fields.wrong:
        raise OAuthRefusal.of(*fields.wrong)
    if values.get("response_type", "") not in {"", "code"}:
        raise OAuthRefusal("unsupported_response_type", "지원하지 않는 response_type입니다: response_type (code)")
    hold(_API, values)
    if values["app_scheme"] not in client.service.app_schemes:
        raise OAuthRefusal(
            "invalid_request", "해당 client_id에 등록되지 않은 app_scheme입니다", reason="app_scheme_unknown"
        )
    provider = member(office, call, values)
    if provider.authentication is Authentication.NONE:
        raise OAuthRefusal("method_not_allowed", NOT_OFFERED)
    return AuthorizationRequest(
        request_id=authority.random(),
        provider=provider.org_code,
        operator=client.service.operator,
        client_id=client.service.client_id,
        redirect_uri=values["redirect_uri"],
        app_scheme=values["app_scheme"],
        oauth_state=values["state"],
        api_tran_id=call.tran_id,
        asked_at=now,
        expires_at=now + office.request_s,
        ci=_ci(call),
    )


def _ci(call: Call) -> str:
    ci = call.header(_CI)
    if not ci:
        raise OAuthRefusal.of("header_missing", _CI_FORM)
    (field,) = (field for field in load_catalogue().apis[_API].request.header if field.name == _CI)
    if not check_of(field)(ci):
        raise OAuthRefusal.of("header_malformed", _CI_FORM)
    return ci


def _told(refusal: OAuthRefusal, fields: Fields, call: Call) -> str:
    """The callback with the error, and with `state` when it is one: what is malformed is not passed on.

    `api_tran_id` is told as it came, as the header of every other answer repeats it, when it is short and printable.
    """
    state = fields.values.get("state", "")
    told = {"error": refusal.error, "error_description": refusal.description}
    if _STATE.fullmatch(state):
        told["state"] = state
    tran_id = call.header("x-api-tran-id")
    if _ECHO.fullmatch(tran_id):
        told["api_tran_id"] = tran_id
    return way_back(fields.values["redirect_uri"], **told)
