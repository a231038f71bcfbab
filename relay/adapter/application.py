"""aiohttp application of the adapter. It listens where gateways of the same user alone can connect."""

import logging
import time
import traceback
from collections.abc import Callable

from aiohttp import web

from relay.adapter.calls import ForwardedRequest, read_call
from relay.adapter.institutions import AdapterPlan
from relay.adapter.mediation import serve_call
from relay.domain.fault import FAULTS, Refusal
from relay.endpoint.handlers import HEALTH_PATH, MAX_BODY_BYTES
from relay.policy.call.envelope import JSON_TYPE, build_refusal_body
from relay.policy.call.route import Routes
from relay.policy.upstream.adapter_headers import LINES_PATH, build_fault_headers

_log = logging.getLogger(__name__)


def build_adapter_application(routes: Routes, get_plan: Callable[[], AdapterPlan]) -> web.Application:
    """Returns the application. `get_plan` returns the plan in force; a call keeps the one that it began with."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)

    async def serve(request: web.Request) -> web.Response:
        forwarded = ForwardedRequest(request.method, request.raw_path, _read_headers(request), await request.read())
        try:
            api_code, call = read_call(routes, forwarded)
            answer = await serve_call(get_plan(), api_code, call, time.time)
        except Refusal as refusal:
            return _build_refusal(refusal, forwarded.tran_id)
        except Exception as error:  # a bug of the adapter must not end the other calls
            place = traceback.extract_tb(error.__traceback__)[-1]
            _log.error("adapted call failed: error=%s place=%s:%d", type(error).__name__, place.filename, place.lineno)
            return _build_refusal(Refusal(FAULTS["relay_broken"]), forwarded.tran_id)
        return _build_response(answer.status, answer.body, forwarded.tran_id, {})

    async def lines(request: web.Request) -> web.Response:
        institution = get_plan().institutions.get(request.match_info["org_code"])
        is_open = institution is not None and institution.core.open_lines > 0
        return web.json_response({"status": "open" if is_open else "closed"}, status=200 if is_open else 503)

    app.router.add_get(HEALTH_PATH, _health)
    app.router.add_get("/{org_code}" + LINES_PATH, lines)
    app.router.add_route("*", "/{org_code}/{path:.*}", serve)
    return app


def build_error_response(status: int) -> web.Response:
    """Returns the response to a request that is not HTTP or has no path of an institution."""
    is_server_error = status >= web.HTTPInternalServerError.status_code
    return _build_refusal(Refusal(FAULTS["relay_broken" if is_server_error else "head_malformed"]), "")


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def _read_headers(request: web.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _build_refusal(refusal: Refusal, tran_id: str) -> web.Response:
    """Returns a response that reports a fault to the gateway, which refuses the call."""
    fault = refusal.fault
    return _build_response(fault.status, build_refusal_body(fault), tran_id, build_fault_headers(refusal))


def _build_response(status: int, body: bytes, tran_id: str, headers: dict[str, str]) -> web.Response:
    named = {"x-api-tran-id": tran_id} if tran_id else {}
    fields = {"Content-Type": JSON_TYPE.decode(), "Server": "relay", **named, **headers}
    return web.Response(status=status, body=body, headers=fields)
