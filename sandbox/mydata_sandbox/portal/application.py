"""The simulated portal as a server: HTTP transport, planned failures, and received calls."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web

from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.portal.failure_modes import FailurePlan, apply_failure, build_huge
from mydata_sandbox.portal.registry import EVERYTHING
from mydata_sandbox.portal.service import TOKEN, PortalService, ReceivedRequest, Reply
from relay.domain.api import Api

MAX_BODY: Final = 67_108_864
MAX_RECEIVED: Final = 1_000
SLOW_S: Final = 20.0
_TRAN_ID: Final = "x-api-tran-id"
_JSON: Final = "application/json; charset=UTF-8"
_PAGE: Final = b"<!doctype html><html><title>maintenance</title><h1>Please come back later</h1></html>"


@dataclass(frozen=True, slots=True)
class ReceivedCall:
    """A call that the portal received. `how` is the failure mode of its response, "" for none.

    `number` is the sequence number of the call, from 1.
    `values` come from query, form or JSON body, `answer` is the body before any failure. Neither is printed.
    `ms` is the duration of the call.
    """

    number: int
    api_id: str
    method: str
    path: str
    caller: str
    tran_id: str
    status: int
    rsp_code: str
    ms: float
    how: str
    values: Mapping[str, Any] | None = field(repr=False)
    answer: Mapping[str, Any] = field(repr=False)
    api: Api | None = field(repr=False)

    @property
    def succeeded(self) -> bool:
        """Whether the response was 200 without a failure."""
        return self.status == HTTPStatus.OK and not self.how

    def faults(self) -> list[str]:
        """Validates the response against the catalogue and returns the violations."""
        return (
            find_strict_violations(self.api, self.answer)
            if self.api is not None and self.status == HTTPStatus.OK
            else []
        )


class SimulatedPortal:
    """The server of `service`, with planned `failures`. `slow_s` is the delay of a slow response.

    `received` are the last calls in the order of their responses, `came` is the number of all calls.
    """

    def __init__(self, service: PortalService) -> None:
        self.service = service
        self.failures = FailurePlan()
        self.slow_s = SLOW_S
        self.received: deque[ReceivedCall] = deque(maxlen=MAX_RECEIVED)
        self.received_count = 0
        self._changed = asyncio.Condition()

    def application(self) -> web.Application:
        """Returns an aiohttp application, to be served behind TLS with client certificates."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{anything:.*}", self._handle)
        return app

    def plan_failure(self, api_id: str, how: str, times: int = 1) -> None:
        """Fails the next `times` calls of `api_id` with a mode of FAILURE_MODES. Raises InvalidCommand."""
        self.failures.plan(api_id, how, times)

    async def wait_for_call(self, wanted: Callable[[ReceivedCall], bool]) -> ReceivedCall:
        """Returns the first received call that is `wanted`, also an earlier one. Waits without a timeout."""
        async with self._changed:
            await self._changed.wait_for(lambda: any(map(wanted, self.received)))
            return next(filter(wanted, self.received))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        started = time.perf_counter()
        self.received_count += 1
        number = self.received_count
        received_request = await _read_request(request)
        api = self.service.find_api(received_request)
        how = self.failures.next(api.api_id) if api is not None else ""
        if how == "slow":
            await asyncio.sleep(self.slow_s)
        reply = self._build_reply(received_request, how)
        received = ReceivedCall(
            number=number,
            api_id=reply.api_id,
            method=received_request.method,
            path=received_request.path,
            caller=reply.caller,
            tran_id=received_request.tran_id,
            status=reply.status,
            rsp_code=str(reply.body.get("rsp_code", "")),
            ms=(time.perf_counter() - started) * 1000,
            how=how,
            values=received_request.values,
            answer=reply.body,
            api=api,
        )
        try:
            return await self._build_response(request, received_request, reply, how)
        finally:
            async with self._changed:
                self.received.append(received)
                self._changed.notify_all()

    def _build_reply(self, request: ReceivedRequest, how: str) -> Reply:
        if how == "error_500":
            api = self.service.find_api(request)
            body = (
                {"error": "server_error"} if api and api.api_id == TOKEN else {"rsp_code": "50001", "rsp_msg": "장애"}
            )
            return Reply(HTTPStatus.INTERNAL_SERVER_ERROR, body, "", api.api_id if api else "")
        if how == "token_expired":
            self.service.forget_tokens()
        return self.service.respond(request)

    async def _build_response(
        self, request: web.Request, received: ReceivedRequest, reply: Reply, how: str
    ) -> web.StreamResponse:
        headers = {"Content-Type": _JSON, _TRAN_ID: received.tran_id}
        body = reply.body
        if "org_list" in body and how:
            whole = (received.values or {}).get("search_timestamp") == EVERYTHING
            body = apply_failure(how, body, self.service.everything(reply), whole=whole)
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        if how == "garbage":
            content = content[: len(content) // 2] + b"\xff\x00}"
        elif how == "html":
            headers["Content-Type"], content = "text/html", _PAGE
        elif how == "huge":
            content = build_huge(body)
        elif how == "wrong_tran_id":
            headers[_TRAN_ID] = received.tran_id[:-1] + ("0" if received.tran_id[-1:] != "0" else "1")
        elif how == "reset":
            return await _send_half(request, reply.status, headers, content)
        return web.Response(status=reply.status, body=content, headers=headers)


async def _send_half(
    request: web.Request, status: int, headers: Mapping[str, str], content: bytes
) -> web.StreamResponse:
    """Sends half of the response, then abort the connection."""
    answer = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(len(content))})
    await answer.prepare(request)
    await answer.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.abort()
    return answer


async def _read_request(request: web.Request) -> ReceivedRequest:
    return ReceivedRequest(
        method=request.method,
        path=request.path,
        tran_id=request.headers.get(_TRAN_ID, ""),
        serial=_serial(request),
        address=request.remote or "",
        bearer=request.headers.get("Authorization", "").removeprefix("Bearer "),
        values=_values(request, await request.read()),
    )


def _serial(request: web.Request) -> str | None:
    """Returns the SERIALNUMBER (OID 2.5.4.5) of the caller's certificate."""
    certificate = (request.transport.get_extra_info("peercert") if request.transport is not None else None) or {}
    named = (pair for parts in certificate.get("subject", ()) for pair in parts)
    return next((value for name, value in named if name == "serialNumber"), None)


def _values(request: web.Request, content: bytes) -> Mapping[str, Any] | None:
    """Returns the values of a request, None when they cannot be parsed."""
    if request.method != "POST":
        return dict(request.query)
    try:
        if request.content_type == "application/x-www-form-urlencoded":
            return dict(parse_qsl(content.decode(), strict_parsing=True))
        body = json.loads(content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
