"""The authority as an aiohttp application behind the gateway: three endpoints, and what every answer has."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from relay.domain.ids import ORG_CODE, TRAN_ID
from relay.oauth.authorize import authorize
from relay.oauth.calls import Answer, Call, refused
from relay.oauth.errors import OAuthRefusal, refusal_of
from relay.oauth.office import Authority
from relay.oauth.revocation import revoke
from relay.oauth.token import token

Endpoint = Callable[[Authority, Call], Awaitable[Answer]]

ENDPOINTS: Final[Mapping[str, tuple[str, Endpoint]]] = {
    "/oauth/2.0/authorize": ("GET", authorize),
    "/oauth/2.0/token": ("POST", token),
    "/oauth/2.0/revoke": ("POST", revoke),
}
"""Path to the one method it takes, and who answers."""

BODY_MOST: Final = 65_536

RUNNER: Final[Mapping[str, Any]] = {
    "access_log": None,
    "auto_decompress": False,
    "max_line_size": BODY_MOST,
    "max_field_size": BODY_MOST,
}
"""How `served` is told to serve the application. Records are the gateway's: those of aiohttp would hold `state`. The
limits lie above the gateway's own, so that what is too long is refused with the standard's words."""

_EVERY: Final = {
    "Content-Type": "application/json; charset=UTF-8",
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
}
"""Headers of every answer: tokens stay in no cache (RFC 6749 5.1)."""


def application(authority: Authority) -> web.Application:
    """The endpoints. Whoever reaches them is believed about who calls: listen where only the gateway comes."""
    app = web.Application(client_max_size=BODY_MOST)
    for path, (method, endpoint) in ENDPOINTS.items():
        app.router.add_route("*", path, _door(authority, method, endpoint))
    return app


def turned_away(status: int) -> web.Response:
    """The answer to what is no call: no HTTP, or of no endpoint. `status` is that of HTTP."""
    error = "invalid_request" if status < web.HTTPInternalServerError.status_code else "server_error"
    body = json.dumps({"error": error, "error_description": "this is no call"}).encode()
    return web.Response(status=status, body=body, headers={**_EVERY, "Server": "relay"})


def _door(authority: Authority, method: str, endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answered(request: web.Request) -> web.Response:
        call = _call(request)
        try:
            _fits(request, method, call)
            answer = await endpoint(authority, replace(call, body=await _body(request)))
        except Exception as error:
            refusal = refusal_of(error, authority.complain)
            call.note.reason = refusal.reason
            answer = refused(refusal)
        return _response(call, answer, method)

    return answered


def _fits(request: web.Request, method: str, call: Call) -> None:
    if request.method != method:
        raise OAuthRefusal("method_not_allowed", f"the method is {method}")
    if not call.tran_id and method == "POST":  # authorize tells it to the callback
        raise OAuthRefusal("invalid_request", "x-api-tran-id is missing", reason="header_malformed")


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise OAuthRefusal("invalid_request", "the body is too large", reason="body_too_large") from None


def _call(request: web.Request) -> Call:
    """What the gateway handed over. `raw_path` is the target as it came, so nothing was decoded before us."""
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in request.headers.items():
        headers[name.lower()] = (*headers.get(name.lower(), ()), value)
    _, mark, query = request.raw_path.partition("?")
    said = Call("", frozenset(), "", None, headers, b"")
    tran_id = said.header("x-api-tran-id")
    operators = (code.strip() for code in said.header("x-relay-operators").split(","))
    return Call(
        tran_id=tran_id if TRAN_ID.fullmatch(tran_id) else "",
        operators=frozenset(code for code in operators if ORG_CODE.fullmatch(code)),
        fault=said.header("x-relay-fault"),
        query=query if mark else None,
        headers=headers,
        body=b"",
    )


def _response(call: Call, answer: Answer, method: str) -> web.Response:
    headers = {**_EVERY, **answer.headers, **call.note.headers()}
    if call.tran_id:
        headers["x-api-tran-id"] = call.tran_id
    if answer.status == web.HTTPMethodNotAllowed.status_code:
        headers["Allow"] = method
    body = b"" if answer.body is None else json.dumps(answer.body, ensure_ascii=False).encode()
    return web.Response(status=answer.status, body=body, headers=headers)
