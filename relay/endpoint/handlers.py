"""aiohttp adapter of the endpoints: turns forwarded requests into calls and responses into HTTP."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web

from relay.domain.fault import MethodNotAllowed
from relay.domain.ids import ORG_CODE, TRAN_ID_FORM, is_tran_id
from relay.domain.queue_full import CALLER
from relay.endpoint.calls import EndpointResponse, ForwardedCall
from relay.endpoint.errors import OAuthRefusal
from relay.endpoint.revocations import RevocationFeed, collect_revoked
from relay.policy.call.oauth_envelope import REVOCATIONS_PATH


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path: its HTTP method, its handler, and the error response for any exception.

    `refuse` may note the reason on the call. It also gets the OAuthRefusal of a request that never reached `handle`.
    """

    method: str
    handle: Callable[[ForwardedCall], Awaitable[EndpointResponse]]
    refuse: Callable[[ForwardedCall, Exception], EndpointResponse]


HEALTH_PATH: Final = "/health"
"""Liveness path that the gateway probes."""

MAX_BODY_BYTES: Final = 65_536

SERVER_OPTIONS: Final[Mapping[str, Any]] = {
    "access_log": None,
    "auto_decompress": False,
    "max_line_size": MAX_BODY_BYTES,
    "max_field_size": MAX_BODY_BYTES,
}
"""aiohttp server options. No access log: the gateway records calls, and aiohttp's lines would hold `state`. The limits
are above the gateway's own, so that oversized requests are refused with the standard's texts."""

_COMMON_HEADERS: Final = {
    "Content-Type": "application/json; charset=UTF-8",
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
}
"""Headers of every response: tokens must not be cached (RFC 6749 5.1)."""


def build_application(endpoints: Mapping[str, Endpoint], feed: RevocationFeed | None = None) -> web.Application:
    """Returns the application of the endpoints by path, and of the revocation feed for gateways.

    Its headers about the caller are trusted: listen only where the gateway alone can connect.
    """
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    if feed is not None:
        app.router.add_get(REVOCATIONS_PATH, feed.listen, allow_head=False)
    app.router.add_get(HEALTH_PATH, _health)
    for path, endpoint in endpoints.items():
        app.router.add_route("*", path, _build_handler(endpoint))
    return app


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"}, headers={"Server": "relay"})


def build_error_response(status: int) -> web.Response:
    """Returns the error response to a request that is not HTTP or has no endpoint. `status` is the HTTP status."""
    is_server_error = status >= web.HTTPInternalServerError.status_code
    refusal = (
        OAuthRefusal.from_fault("relay_broken", error="server_error")
        if is_server_error
        else OAuthRefusal.from_fault("head_malformed")
    )
    error = {"error": refusal.error, "error_description": refusal.description}
    body = json.dumps(error, ensure_ascii=False).encode()
    return web.Response(status=status, body=body, headers={**_COMMON_HEADERS, "Server": "relay"})


def _build_handler(endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        call = _read_call(request)
        CALLER.set(",".join(sorted(call.operators)))
        try:
            _check_request(request, endpoint.method, call)
            with collect_revoked() as revoked:
                try:
                    response = await endpoint.handle(replace(call, body=await _read_body(request)))
                finally:
                    call.note.revoked = ",".join(revoked)
        except Exception as error:
            response = endpoint.refuse(call, error)
        return _build_response(call, response, endpoint.method)

    return handle


def _check_request(request: web.Request, method: str, call: ForwardedCall) -> None:
    if request.method != method:
        refusal = MethodNotAllowed(method)
        raise OAuthRefusal.from_fault(refusal.fault.name, refusal.detail, error="method_not_allowed")
    if not call.tran_id and method == "POST":  # authorize reports it to the callback
        raise OAuthRefusal.from_fault("header_malformed", TRAN_ID_FORM)


async def _read_body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise OAuthRefusal.from_fault("body_too_large", f"{MAX_BODY_BYTES}바이트까지") from None


def _read_call(request: web.Request) -> ForwardedCall:
    """Returns the call, still without its body. `raw_path` is the undecoded target."""
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in request.headers.items():
        headers[name.lower()] = (*headers.get(name.lower(), ()), value)
    _, mark, query = request.raw_path.partition("?")
    raw = ForwardedCall(tran_id="", operators=frozenset(), fault_name="", query=None, headers=headers, body=b"")
    tran_id = raw.single_header("x-api-tran-id")
    operators = (code.strip() for code in raw.single_header("x-relay-operators").split(","))
    return ForwardedCall(
        tran_id=tran_id if is_tran_id(tran_id) else "",
        operators=frozenset(code for code in operators if ORG_CODE.fullmatch(code)),
        fault_name=raw.single_header("x-relay-fault"),
        query=query if mark else None,
        headers=headers,
        body=b"",
    )


def _build_response(call: ForwardedCall, response: EndpointResponse, method: str) -> web.Response:
    headers = {**_COMMON_HEADERS, **response.headers, **call.note.headers()}
    if call.tran_id:
        headers["x-api-tran-id"] = call.tran_id
    if response.status == web.HTTPMethodNotAllowed.status_code:
        headers["Allow"] = method
    body = b"" if response.body is None else json.dumps(response.body, ensure_ascii=False).encode()
    return web.Response(status=response.status, body=body, headers=headers)
