"""The portal's control door: plain HTTP on loopback, for people with curl (docs/reference/portal-sandbox.md)."""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from relay.domain.registry import Organisation, OrgType
from relay.policy.statistics.weeks import last_week
from relay.sandbox.customers import ci_of
from relay.sandbox.login import LOGINS
from relay.sandbox.operator import Call
from relay.sandbox.portal.application import PretendedPortal, Received
from relay.sandbox.portal.misdeeds import HOWS, Unfit
from relay.sandbox.portal.registry import Unknown
from relay.sandbox.portal.rows import Service
from relay.sandbox.support import SupportCaller

_SHOWN: Final = 20
_CHANGEABLE: Final = frozenset({"name", "serial_num", "addresses"})
Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Control:
    """What the door leads to: the portal, and its own calls to the relay; `relay` is the relay's org_code.

    Parameters stand in the query or in a form: who types Korean types it there, for a URL has none (RFC 3986 2).
    """

    portal: PretendedPortal
    calls: SupportCaller
    relay: str
    clock: Callable[[], datetime]

    def application(self) -> web.Application:
        """The door. Nothing asks who comes: bind it to loopback."""
        app = web.Application()
        app.router.add_get("/", self._door(self._state))
        app.router.add_get("/received", self._door(self._received))
        app.router.add_get("/compare", self._door(self._compared))
        app.router.add_post("/misbehave", self._door(self._misbehave))
        app.router.add_post("/behave", self._door(self._behave))
        app.router.add_post("/registry/add", self._door(self._add))
        app.router.add_post("/registry/change", self._door(self._change))
        app.router.add_post("/registry/remove", self._door(self._remove))
        app.router.add_post("/ask/{api}", self._ask)
        return app

    def _door(self, answer: Callable[[Params], str]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            try:
                return _words(answer(await _params(request)))
            except KeyError as missing:
                return _words(f"{missing.args[0]} is missing", 400)
            except (Unfit, ValueError) as wrong:
                return _words(str(wrong), 400)

        return answered

    def _state(self, _: Params) -> str:
        registry, received = self.portal.desk.registry, self.portal.received
        planned = [f"{api_id}: {', '.join(hows)}" for api_id, hows in self.portal.misdeeds.planned().items()]
        kinds = [
            f"{sum(one.org_type is kind for one in registry.organisations.values())} {kind.name.lower()}"
            for kind in OrgType
        ]
        return "\n".join(
            [
                f"registered: {', '.join(kinds)}; {len(registry.services)} services",
                f"search_timestamp: {registry.timestamp()}",
                f"misdeeds to come: {'; '.join(planned) or 'none'}",
                f"statistics taken: {len(self.portal.desk.uploads)}",
                f"calls received: {len(received)}, the last of them:",
                *(f"  {_line(one)}" for one in list(received)[-_SHOWN:]),
                "",
                "misdeeds:",
                *(f"  {how:17} {words}" for how, (words, _) in HOWS.items()),
            ]
        )

    def _received(self, _: Params) -> str:
        """Every call that is kept, in its order: no secret, no body."""
        return "\n".join(map(_line, self.portal.received))

    def _compared(self, params: Params) -> str:
        week = params.get("week") or self._last_week()
        differences = self.portal.desk.differences(week)
        return "\n".join(differences) or f"{week}: operators and relay agree"

    def _misbehave(self, params: Params) -> str:
        api_id, how, times = _api(params["api"]), params["how"], _number(params.get("times", "1"))
        self.portal.misbehave(api_id, how, times)
        return f"the next {times} of {api_id}: {how}, {HOWS[how][0]}"

    def _behave(self, _: Params) -> str:
        self.portal.misdeeds.behave()
        return "as it should be"

    def _add(self, params: Params) -> str:
        """A new operator with one service, whose secret is told: `org_code`, `name`, `serial_num`."""
        org_code, registry = params["org_code"], self.portal.desk.registry
        if org_code in registry.organisations:
            raise Unfit(f"{org_code} is registered already")
        like = next(one for one in registry.organisations.values() if one.org_type is OrgType.OPERATOR)
        name = params.get("name", org_code)
        registry.put(
            Organisation(org_code, OrgType.OPERATOR, name, params["serial_num"], like.addresses, domain=like.domain)
        )
        service = next(one for one in registry.services.values() if one.operator == like.org_code)
        secret = secrets.token_hex(20)
        registry.put_service(
            Service(f"{org_code}SVC01", org_code, name, secret, service.callbacks, service.app_schemes)
        )
        return f"{org_code} is registered; client_id {org_code}SVC01, client_secret {secret}"

    def _change(self, params: Params) -> str:
        """`org_code`, and its new `name`, `serial_num` or `addresses` (with commas between)."""
        org_code = params["org_code"]
        told: dict[str, Any] = {name: value for name, value in params.items() if name != "org_code"}
        if not told or not told.keys() <= _CHANGEABLE:
            raise Unfit(f"what can be changed is {', '.join(sorted(_CHANGEABLE))}")
        if "addresses" in told:
            told["addresses"] = tuple(told["addresses"].split(","))
        try:
            self.portal.desk.registry.change(org_code, **told)
        except Unknown as unknown:
            raise Unfit(f"{unknown} is not registered") from None
        return f"{org_code} has another {', '.join(sorted(told))}"

    def _remove(self, params: Params) -> str:
        """An institution by `org_code` together with its services, or one service by `client_id`."""
        registry = self.portal.desk.registry
        name = params.get("client_id") or params["org_code"]
        try:
            (registry.remove_service if "client_id" in params else registry.remove)(name)
        except Unknown as unknown:
            raise Unfit(f"{unknown} is not registered") from None
        return f"{name} is gone"

    async def _ask(self, request: web.Request) -> web.Response:
        """The portal asks the relay; the answer is what it was told."""
        asks: Mapping[str, Callable[[Params], Awaitable[tuple[Call, Mapping[str, Any]]]]] = {
            "지원-101": self._token,
            "지원-102": self._status,
            "지원-103": self._consents,
            "지원-104": self._resend,
        }
        ask = asks.get(_api(request.match_info["api"]))
        if ask is None:
            return _words(f"the portal asks {', '.join(asks)}", 400)
        try:
            call, told = await ask(await _params(request))
        except KeyError as missing:
            return _words(f"{missing.args[0]} is missing", 400)
        return _words(json.dumps({"call": call.row(), "told": told}, ensure_ascii=False, indent=2))

    async def _token(self, _: Params) -> tuple[Call, Mapping[str, Any]]:
        return await self.calls.token(self.relay), {}

    async def _status(self, params: Params) -> tuple[Call, Mapping[str, Any]]:
        org_code = params["org_code"]
        return await self.calls.ask("지원-102", org_code, {"org_code": org_code})

    async def _consents(self, params: Params) -> tuple[Call, Mapping[str, Any]]:
        """A customer is named by `login`, since a CI stands in no URL."""
        customers = {login.login_id: login.customer for login in LOGINS}
        org_code, customer = params["org_code"], customers.get(params.get("login", ""), LOGINS[0].customer)
        return await self.calls.ask("지원-103", org_code, {"org_code": org_code, "user_ci": ci_of(customer)})

    async def _resend(self, params: Params) -> tuple[Call, Mapping[str, Any]]:
        org_code = params["org_code"]
        values = {
            "org_code": org_code,
            "org_type": params.get("org_type", "03"),
            "inquiry_date": params.get("inquiry_date") or self._last_week(),
            "type": params.get("type", "0"),
        }
        return await self.calls.ask("지원-104", org_code, values)

    def _last_week(self) -> str:
        return last_week(self.clock().timestamp())


async def _params(request: web.Request) -> Params:
    form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    return {**request.query, **form}


def _api(said: str) -> str:
    """`002` says 지원-002 to those whose keyboard has no Korean."""
    return said if said.startswith("지원-") else f"지원-{said}"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Unfit("times is a number")
    return int(text)


def _line(one: Received) -> str:
    who = one.caller or "nobody known"
    return f"{one.api_id or one.path}  {who}  {one.status} {one.rsp_code}  {one.ms:.1f} ms  {one.how}".rstrip()


def _words(text: str, status: int = 200) -> web.Response:
    return web.Response(status=status, text=text + "\n")
