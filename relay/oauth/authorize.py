"""GET /oauth/2.0/authorize: the authorization request of an operator (개별인증-001; RFC 6749 4.1.1, 4.1.2.1)."""

import re
from typing import Final

from relay.domain.authorization.request import AuthorizationRequest
from relay.domain.ids import TRAN_ID_FORM
from relay.endpoint.calls import EndpointResponse, ForwardedCall
from relay.endpoint.errors import OAuthRefusal, to_oauth_refusal
from relay.endpoint.forms import Fields, parse_fields, validate_fields
from relay.oauth.clients import build_unauthorized_client, get_provider, note_client
from relay.oauth.dependencies import AuthorityDependencies, Client, OAuthSettings
from relay.oauth.flows import NOT_OFFERED, start_flow
from relay.oauth.redirects import build_callback_url
from relay.policy.call.fields import compile_field_check
from relay.policy.settings.directory import AuthenticationMethod
from relay.standard.catalogue import load_catalogue

_API: Final = "개별인증-001"
_CI: Final = "x-user-ci"
_CI_FORM: Final = "x-user-ci (B64(100))"
_STATE_FORM: Final = re.compile(r"[0-9A-Za-z]{1,40}")
_PRINTABLE: Final = re.compile(r"[!-~]{1,64}")
_HEADER_FAULTS: Final = frozenset({"header_missing", "header_malformed", "tran_id_of_other_operator"})
"""Faults of `x-api-tran-id` that the gateway reports."""


async def authorize(dependencies: AuthorityDependencies, call: ForwardedCall) -> EndpointResponse:
    """Stores the request and returns the response that starts its flow.

    Raises OAuthRefusal when the callback is not registered (a redirect would make the relay an open redirector) or the
    institution offers no individual authentication. Every other refusal is a redirect to the callback.
    """
    call.note.api_code = "AU01"
    settings, fields = dependencies.settings, parse_fields(call.query or "")
    client = _find_client(settings, call, fields)
    try:
        request = _build_request(dependencies, settings, call, fields, client)
        await dependencies.ledger.open_request(request)
        status, headers, body = start_flow(dependencies, settings.providers[request.provider], request)
        return EndpointResponse(status, body, headers)
    except Exception as error:
        refusal = to_oauth_refusal(error)
        if refusal.error == "method_not_allowed":
            raise
        call.note.reason, call.note.error = refusal.reason, refusal.error
        return EndpointResponse(302, None, {"Location": _build_error_url(refusal, fields, call)})


def _find_client(settings: OAuthSettings, call: ForwardedCall, fields: Fields) -> Client:
    """Returns the client of the request, whose redirect_uri must equal one of its registered callbacks."""
    client = settings.clients.get(fields.values.get("client_id", ""))
    if client is None:
        raise OAuthRefusal("invalid_request", "등록되지 않은 client_id입니다", reason="client_unknown")
    note_client(call, client)
    if fields.values.get("redirect_uri") not in client.service.callbacks:
        raise OAuthRefusal(
            "invalid_request", "해당 client_id에 등록되지 않은 redirect_uri입니다", reason="redirect_uri_unknown"
        )
    return client


def _build_request(
    dependencies: AuthorityDependencies, settings: OAuthSettings, call: ForwardedCall, fields: Fields, client: Client
) -> AuthorizationRequest:
    values, now = fields.values, int(dependencies.clock())
    if call.fault_name in _HEADER_FAULTS or not (call.fault_name or call.tran_id):
        reason = call.fault_name or "header_malformed"
        raise OAuthRefusal.from_fault(reason, TRAN_ID_FORM)
    if call.fault_name or client.service.operator not in call.operators:
        raise build_unauthorized_client(call)
    if fields.problem:
        raise OAuthRefusal.from_fault(*fields.problem)
    if values.get("response_type", "") not in {"", "code"}:
        raise OAuthRefusal("unsupported_response_type", "지원하지 않는 response_type입니다: response_type (code)")
    validate_fields(_API, values)
    if values["app_scheme"] not in client.service.app_schemes:
        raise OAuthRefusal(
            "invalid_request", "해당 client_id에 등록되지 않은 app_scheme입니다", reason="app_scheme_unknown"
        )
    provider = get_provider(settings, call, values)
    if provider.authentication is AuthenticationMethod.NONE:
        raise OAuthRefusal("method_not_allowed", NOT_OFFERED)
    return AuthorizationRequest(
        request_id=dependencies.random(),
        provider=provider.org_code,
        operator=client.service.operator,
        client_id=client.service.client_id,
        redirect_uri=values["redirect_uri"],
        app_scheme=values["app_scheme"],
        oauth_state=values["state"],
        api_tran_id=call.tran_id,
        requested_at=now,
        expires_at=now + settings.request_s,
        ci=_read_ci(call),
    )


def _read_ci(call: ForwardedCall) -> str:
    ci = call.single_header(_CI)
    if not ci:
        raise OAuthRefusal.from_fault("header_missing", _CI_FORM)
    (field,) = (field for field in load_catalogue().apis[_API].request.header if field.name == _CI)
    if not compile_field_check(field)(ci):
        raise OAuthRefusal.from_fault("header_malformed", _CI_FORM)
    return ci


def _build_error_url(refusal: OAuthRefusal, fields: Fields, call: ForwardedCall) -> str:
    """Returns the callback URL with the error, and with `state` unless it is malformed.

    `api_tran_id` repeats the header when it is short and printable, as the response headers of other calls do.
    """
    state = fields.values.get("state", "")
    parameters = {"error": refusal.error, "error_description": refusal.description}
    if _STATE_FORM.fullmatch(state):
        parameters["state"] = state
    tran_id = call.single_header("x-api-tran-id")
    if _PRINTABLE.fullmatch(tran_id):
        parameters["api_tran_id"] = tran_id
    return build_callback_url(fields.values["redirect_uri"], **parameters)
