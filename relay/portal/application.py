"""Endpoints of the support APIs for the portal (지원-101 to -104; 규격 5.2)."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from relay.domain.api import SUCCESS, Api
from relay.endpoint.calls import EndpointResponse, ForwardedCall, build_error_response
from relay.endpoint.errors import OAuthRefusal, to_oauth_refusal
from relay.endpoint.handlers import Endpoint
from relay.policy.call.plan import get_support_code
from relay.portal.bearer import authenticate_portal
from relay.portal.consents import list_consents
from relay.portal.dependencies import PortalRequest, SupportDependencies, SupportSettings
from relay.portal.parameters import check_headers, read_parameters
from relay.portal.refusals import build_fault_response
from relay.portal.resend import request_resend
from relay.portal.status import get_status
from relay.portal.token import issue_token
from relay.standard.catalogue import load_catalogue

_TOKEN: Final = "지원-101"  # noqa: S105 - an API

Handler = Callable[[SupportDependencies, PortalRequest], Awaitable[Mapping[str, object]]]
"""Handles a request of the portal. Returns the fields beside rsp_code and rsp_msg. Raises Refusal, LedgerDown."""

HANDLERS: Final[Mapping[str, Handler]] = {"지원-102": get_status, "지원-103": list_consents, "지원-104": request_resend}
"""Handlers of 지원-102 to -104."""

_SUCCESS: Final = {"rsp_code": SUCCESS, "rsp_msg": "성공"}


def endpoints(support: SupportDependencies) -> Mapping[str, Endpoint]:
    """Returns the endpoints by path."""
    apis = load_catalogue().apis
    by_path = {apis[_TOKEN].path: Endpoint("POST", partial(_issue_token, support), _refuse_token)}
    for api_id, handler in HANDLERS.items():
        api = apis[api_id]
        by_path[api.path] = Endpoint(api.method, partial(_respond, support, api, handler), partial(_refuse, api))
    return by_path


async def _issue_token(support: SupportDependencies, call: ForwardedCall) -> EndpointResponse:
    call.note.api_code = get_support_code(_TOKEN)
    return await issue_token(support, _get_settings(support), call)


async def _respond(support: SupportDependencies, api: Api, handler: Handler, call: ForwardedCall) -> EndpointResponse:
    """Handles a valid call: checks headers (40002), token (40101) and parameters (40001), in this order."""
    call.note.api_code = get_support_code(api.api_id)
    settings, now = _get_settings(support), support.clock()
    check_headers(call, api)
    authenticate_portal(settings, support.signer, call, now)
    request = PortalRequest(settings, read_parameters(call, api), now, call.note)
    return EndpointResponse(200, {**_SUCCESS, **await handler(support, request)})


def _get_settings(support: SupportDependencies) -> SupportSettings:
    """Returns the settings. Raises OAuthRefusal without any: the gateway knows a portal before these settings do."""
    if support.settings is None:
        raise OAuthRefusal.from_fault("endpoint_unknown")
    return support.settings


def _refuse_token(call: ForwardedCall, error: Exception) -> EndpointResponse:
    refusal = to_oauth_refusal(error)
    call.note.api_code, call.note.reason, call.note.error = get_support_code(_TOKEN), refusal.reason, refusal.error
    return build_error_response(refusal)


def _refuse(api: Api, call: ForwardedCall, error: Exception) -> EndpointResponse:
    call.note.api_code = get_support_code(api.api_id)
    return build_fault_response(call, error)
