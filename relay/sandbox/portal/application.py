"""The pretended portal as a server: moves the bytes, misbehaves when told to, and keeps what it received."""

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

from relay.domain.api import Api
from relay.policy.response.conformance import find_violations
from relay.sandbox.portal.desk import TOKEN, Asked, PortalDesk, Reply
from relay.sandbox.portal.misdeeds import Misdeeds, huge, spoilt
from relay.sandbox.portal.registry import EVERYTHING

BODY_MOST: Final = 67_108_864
KEPT_MOST: Final = 1_000
SLOW_S: Final = 20.0
_TRAN_ID: Final = "x-api-tran-id"
_JSON: Final = "application/json; charset=UTF-8"
_PAGE: Final = b"<!doctype html><html><title>maintenance</title><h1>Please come back later</h1></html>"


@dataclass(frozen=True, slots=True)
class Received:
    """A call that the portal answered. `how` is the misdeed it was answered with, "" for none.

    `number` counts the calls in the order in which they came, from 1.
    `values` is what was asked (query, form or JSON body), `answer` the body before any misdeed; neither is printed.
    `ms` is how long the answer took.
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
    def well(self) -> bool:
        """Whether it was answered as asked, with no misdeed."""
        return self.status == HTTPStatus.OK and not self.how

    def faults(self) -> list[str]:
        """What the answer got wrong when it is held against the catalogue."""
        return find_violations(self.api, self.answer) if self.api is not None and self.status == HTTPStatus.OK else []


class PretendedPortal:
    """`desk` decides, `misdeeds` spoil. `slow_s` is how late a slow answer comes.

    `received` are the last calls in the order of their answers, `came` is how many came ever.
    """

    def __init__(self, desk: PortalDesk) -> None:
        self.desk = desk
        self.misdeeds = Misdeeds()
        self.slow_s = SLOW_S
        self.received: deque[Received] = deque(maxlen=KEPT_MOST)
        self.came = 0
        self._news = asyncio.Condition()

    def application(self) -> web.Application:
        """The portal as an aiohttp application: mount it behind TLS that asks for client certificates."""
        app = web.Application(client_max_size=BODY_MOST)
        app.router.add_route("*", "/{anything:.*}", self._handle)
        return app

    def misbehave(self, api_id: str, how: str, times: int = 1) -> None:
        """Answer the next `times` calls of `api_id` with a misdeed of HOWS. Raises Unfit."""
        self.misdeeds.plan(api_id, how, times)

    async def heard(self, wanted: Callable[[Received], bool]) -> Received:
        """The first call received that is `wanted`, be it over already; waits for it without end."""
        async with self._news:
            await self._news.wait_for(lambda: any(map(wanted, self.received)))
            return next(filter(wanted, self.received))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        started = time.perf_counter()
        self.came += 1
        number = self.came
        asked = await _asked(request)
        api = self.desk.api_of(asked)
        how = self.misdeeds.next(api.api_id) if api is not None else ""
        if how == "slow":
            await asyncio.sleep(self.slow_s)
        reply = self._decided(asked, how)
        received = Received(
            number=number,
            api_id=reply.api_id,
            method=asked.method,
            path=asked.path,
            caller=reply.caller,
            tran_id=asked.tran_id,
            status=reply.status,
            rsp_code=str(reply.body.get("rsp_code", "")),
            ms=(time.perf_counter() - started) * 1000,
            how=how,
            values=asked.values,
            answer=reply.body,
            api=api,
        )
        try:
            return await self._answered(request, asked, reply, how)
        finally:
            async with self._news:
                self.received.append(received)
                self._news.notify_all()

    def _decided(self, asked: Asked, how: str) -> Reply:
        if how == "error_500":
            api = self.desk.api_of(asked)
            told = (
                {"error": "server_error"} if api and api.api_id == TOKEN else {"rsp_code": "50001", "rsp_msg": "장애"}
            )
            return Reply(HTTPStatus.INTERNAL_SERVER_ERROR, told, "", api.api_id if api else "")
        if how == "token_expired":
            self.desk.forget_tokens()
        return self.desk.respond(asked)

    async def _answered(self, request: web.Request, asked: Asked, reply: Reply, how: str) -> web.StreamResponse:
        headers = {"Content-Type": _JSON, _TRAN_ID: asked.tran_id}
        body = reply.body
        if "org_list" in body and how:
            whole = (asked.values or {}).get("search_timestamp") == EVERYTHING
            body = spoilt(how, body, self.desk.everything(reply), whole=whole)
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        if how == "garbage":
            content = content[: len(content) // 2] + b"\xff\x00}"
        elif how == "html":
            headers["Content-Type"], content = "text/html", _PAGE
        elif how == "huge":
            content = huge(body)
        elif how == "wrong_tran_id":
            headers[_TRAN_ID] = asked.tran_id[:-1] + ("0" if asked.tran_id[-1:] != "0" else "1")
        elif how == "reset":
            return await _broken_off(request, reply.status, headers, content)
        return web.Response(status=reply.status, body=content, headers=headers)


async def _broken_off(
    request: web.Request, status: int, headers: Mapping[str, str], content: bytes
) -> web.StreamResponse:
    """Half of the answer, and then nothing more."""
    answer = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(len(content))})
    await answer.prepare(request)
    await answer.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.abort()
    return answer


async def _asked(request: web.Request) -> Asked:
    return Asked(
        method=request.method,
        path=request.path,
        tran_id=request.headers.get(_TRAN_ID, ""),
        serial=_serial(request),
        address=request.remote or "",
        bearer=request.headers.get("Authorization", "").removeprefix("Bearer "),
        values=_values(request, await request.read()),
    )


def _serial(request: web.Request) -> str | None:
    """The SERIALNUMBER (OID 2.5.4.5) of the certificate that the caller showed."""
    certificate = (request.transport.get_extra_info("peercert") if request.transport is not None else None) or {}
    named = (pair for parts in certificate.get("subject", ()) for pair in parts)
    return next((value for name, value in named if name == "serialNumber"), None)


def _values(request: web.Request, content: bytes) -> Mapping[str, Any] | None:
    """What was asked; None when it cannot be read."""
    if request.method != "POST":
        return dict(request.query)
    try:
        if request.content_type == "application/x-www-form-urlencoded":
            return dict(parse_qsl(content.decode(), strict_parsing=True))
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
