"""The door of the endpoints behind the gateway, in aiohttp: calls come in as handed over, every answer alike."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web

from relay.domain.fault import MethodNotAllowed
from relay.domain.ids import ORG_CODE, TRAN_ID, TRAN_ID_FORM
from relay.domain.queue_full import CALLER
from relay.endpoint.calls import Answer, Call
from relay.endpoint.errors import OAuthRefusal
from relay.endpoint.revocations import RevocationFeed, collect_revoked
from relay.policy.call.oauth_envelope import REVOCATIONS_PATH


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path: the one method it takes, who answers, and the answer to whatever is raised meanwhile.

    `refuse` may note the reason on the call; it hears OAuthRefusal for what is wrong before anybody is asked.
    """

    method: str
    answer: Callable[[Call], Awaitable[Answer]]
    refuse: Callable[[Call, Exception], Answer]


HEALTH: Final = "/health"
"""Answered by the process itself, so that the gateway knows whether it lives."""

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


def application(endpoints: Mapping[str, Endpoint], feed: RevocationFeed | None = None) -> web.Application:
    """The endpoints by path, and the feed of revocations that gateways listen to.

    Whoever reaches them is believed about who calls: listen where only the gateway comes.
    """
    app = web.Application(client_max_size=BODY_MOST)
    if feed is not None:
        app.router.add_get(REVOCATIONS_PATH, feed.listen, allow_head=False)
    app.router.add_get(HEALTH, _health)
    for path, endpoint in endpoints.items():
        app.router.add_route("*", path, _door(endpoint))
    return app


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"}, headers={"Server": "relay"})


def turned_away(status: int) -> web.Response:
    """The answer to what is no call: no HTTP, or of no endpoint. `status` is that of HTTP."""
    ours = status >= web.HTTPInternalServerError.status_code
    refusal = OAuthRefusal.of("relay_broken", error="server_error") if ours else OAuthRefusal.of("head_malformed")
    told = {"error": refusal.error, "error_description": refusal.description}
    body = json.dumps(told, ensure_ascii=False).encode()
    return web.Response(status=status, body=body, headers={**_EVERY, "Server": "relay"})


def _door(endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answered(request: web.Request) -> web.Response:
        call = _call(request)
        CALLER.set(",".join(sorted(call.operators)))
        try:
            _fits(request, endpoint.method, call)
            with collect_revoked() as revoked:
                try:
                    answer = await endpoint.answer(replace(call, body=await _body(request)))
                finally:
                    call.note.revoked = ",".join(revoked)
        except Exception as error:
            answer = endpoint.refuse(call, error)
        return _response(call, answer, endpoint.method)

    return answered


def _fits(request: web.Request, method: str, call: Call) -> None:
    if request.method != method:
        wrong = MethodNotAllowed(method)
        raise OAuthRefusal.of(wrong.fault.name, wrong.detail, error="method_not_allowed")
    if not call.tran_id and method == "POST":  # authorize tells it to the callback
        raise OAuthRefusal.of("header_malformed", TRAN_ID_FORM)


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise OAuthRefusal.of("body_too_large", f"{BODY_MOST}바이트까지") from None


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
