"""The portal's control API: plain HTTP on loopback, for curl (docs/reference/portal-sandbox.md)."""

import ipaddress
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from mydata_sandbox.checks.weeks import days_of, last_week
from mydata_sandbox.customer.browser_client import PageFlowError
from mydata_sandbox.institution.failure_modes import FailureRule, InstitutionFailures
from mydata_sandbox.institution.login import LOGINS
from mydata_sandbox.operator.client import Call, IssuedToken
from mydata_sandbox.operator.support import SupportCaller
from mydata_sandbox.operator.token_issuer import TokenRefused, TokenRequest, UnknownParty
from mydata_sandbox.portal.application import ReceivedCall, SimulatedPortal
from mydata_sandbox.portal.failure_modes import FAILURE_MODES, InvalidCommand
from mydata_sandbox.portal.registry import Unknown
from mydata_sandbox.portal.rows import Service
from mydata_sandbox.world.ci import get_ci
from relay.domain.registry import Organisation, OrgType

_MAX_DIGITS: Final = 18
_MAX_LINES: Final = 20
_CHANGEABLE: Final = frozenset({"name", "serial_num", "addresses"})
Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Control:
    """Control API of the portal, its calls to the relay, failing institutions, tokens, login pages.

    `relay` is the relay's org_code.

    Parameters are in the query or in a form. A form can have Korean text, a URL cannot (RFC 3986 2).
    """

    portal: SimulatedPortal
    calls: SupportCaller
    relay: str
    clock: Callable[[], datetime]
    issue_token: Callable[[TokenRequest], Awaitable[IssuedToken]]
    start_login: Callable[[], Awaitable[str]]
    institutions: InstitutionFailures

    def application(self) -> web.Application:
        """Returns the control API. It has no authentication: bind it to loopback."""
        app = web.Application()
        app.router.add_get("/", self._build_handler(self._state))
        app.router.add_get("/received", self._build_handler(self._received))
        app.router.add_get("/compare", self._build_handler(self._compare))
        app.router.add_get("/failures", self._list_failures)
        app.router.add_post("/failures", self._build_handler(self._plan_failures))
        app.router.add_post("/failures/clear", self._build_handler(self._clear_rules))
        app.router.add_post("/failures/reset", self._build_handler(self._reset))
        app.router.add_post("/registry/add", self._build_handler(self._add))
        app.router.add_post("/registry/change", self._build_handler(self._change))
        app.router.add_post("/registry/remove", self._build_handler(self._remove))
        app.router.add_post("/call/{api}", self._call)
        app.router.add_post("/tokens", self._issue_token)
        app.router.add_post("/pages", self._start_login)
        return app

    def _build_handler(self, answer: Callable[[Params], str]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                return _text_response(answer(await _params(request)))
            except KeyError as missing:
                return _text_response(f"{missing.args[0]} is missing", 400)
            except (InvalidCommand, ValueError) as wrong:
                return _text_response(str(wrong), 400)

        return handle

    def _state(self, _: Params) -> str:
        registry, received = self.portal.service.registry, self.portal.received
        planned = [f"{api_id}: {', '.join(hows)}" for api_id, hows in self.portal.failures.planned().items()]
        kinds = [
            f"{sum(entry.org_type is kind for entry in registry.organisations.values())} {kind.name.lower()}"
            for kind in OrgType
        ]
        return "\n".join(
            [
                f"registered: {', '.join(kinds)}; {len(registry.services)} services",
                f"search_timestamp: {registry.timestamp()}",
                f"planned failures: {'; '.join(planned) or 'none'}",
                f"failing institutions: {'; '.join(rule.describe() for rule in self.institutions.rules()) or 'none'}",
                f"statistics accepted: {len(self.portal.service.uploads)}",
                f"calls received: {len(received)}, the last ones:",
                *(f"  {_describe(call)}" for call in list(received)[-_MAX_LINES:]),
                "",
                "failure modes:",
                *(f"  {how:17} {words}" for how, (words, _) in FAILURE_MODES.items()),
            ]
        )

    def _received(self, _: Params) -> str:
        """Returns the received calls in order, without secrets and bodies."""
        return "\n".join(map(_describe, self.portal.received))

    def _compare(self, params: Params) -> str:
        week = _sunday(params.get("week") or self._last_week())
        if not self.portal.service.has_statistics(week):
            raise InvalidCommand(f"{week}: neither operators nor relay have sent statistics")
        differences = self.portal.service.differences(week)
        return "\n".join(differences) or f"{week}: operators and relay agree"

    async def _list_failures(self, _: web.Request) -> web.Response:
        """Returns the failure rules of institutions as JSON."""
        return web.json_response([rule.row() for rule in self.institutions.rules()], dumps=_to_json)

    def _plan_failures(self, params: Params) -> str:
        """Plans failures of the portal (지원-002), or of institutions (any other API)."""
        if not params["api"].startswith("지원-") and not params["api"].isdigit():
            return self._add_rule(params)
        api_id, how, times = _api(params["api"]), params["how"], _number(params.get("times", "1"), "times")
        self.portal.plan_failure(api_id, how, times)
        calls = "call" if times == 1 else f"{times} calls"
        return f"the next {calls} of {api_id}: {how}, {FAILURE_MODES[how][0]}"

    def _add_rule(self, params: Params) -> str:
        times, page = _number(params.get("times", "1"), "times"), _number(params.get("page", "0"), "page")
        rule = self.institutions.add(FailureRule(params["api"], params["how"], page, times, params.get("org_code", "")))
        return rule.describe()

    def _clear_rules(self, _: Params) -> str:
        self.institutions.clear()
        return "no institution fails"

    def _reset(self, _: Params) -> str:
        self.portal.failures.reset()
        self.institutions.clear()
        return "no failures are planned"

    def _add(self, params: Params) -> str:
        """Registers an operator with one service: `org_code`, `name`, `serial_num`. Returns its secret."""
        org_code, registry = params["org_code"], self.portal.service.registry
        if org_code in registry.organisations:
            raise InvalidCommand(f"{org_code} is registered already")
        operator = next(entry for entry in registry.organisations.values() if entry.org_type is OrgType.OPERATOR)
        name = params.get("name", org_code)
        registry.put(
            Organisation(
                org_code, OrgType.OPERATOR, name, params["serial_num"], operator.addresses, domain=operator.domain
            )
        )
        service = next(entry for entry in registry.services.values() if entry.operator == operator.org_code)
        secret = secrets.token_hex(20)
        registry.put_service(
            Service(f"{org_code}SVC01", org_code, name, secret, service.callbacks, service.app_schemes)
        )
        return f"{org_code} is registered; client_id {org_code}SVC01, client_secret {secret}"

    def _change(self, params: Params) -> str:
        """Changes `name`, `serial_num` or `addresses` (separated by commas) of `org_code`."""
        org_code = params["org_code"]
        changes: dict[str, Any] = {name: value for name, value in params.items() if name != "org_code"}
        if not changes or not changes.keys() <= _CHANGEABLE:
            raise InvalidCommand(f"fields that can be changed: {', '.join(sorted(_CHANGEABLE))}")
        if "addresses" in changes:
            changes["addresses"] = _addresses(changes["addresses"])
        try:
            self.portal.service.registry.change(org_code, **changes)
        except Unknown as unknown:
            raise InvalidCommand(f"{unknown} is not registered") from None
        return f"{org_code} is changed: {', '.join(sorted(changes))}"

    def _remove(self, params: Params) -> str:
        """Removes an institution with its services by `org_code`, or a service by `client_id`."""
        registry = self.portal.service.registry
        name = params.get("client_id") or params["org_code"]
        try:
            (registry.remove_service if "client_id" in params else registry.remove)(name)
        except Unknown as unknown:
            raise InvalidCommand(f"{unknown} is not registered") from None
        return f"{name} is removed"

    async def _call(self, request: web.Request) -> web.Response:
        """Calls the relay from the portal. Returns the call and the relay's response."""
        calls: Mapping[str, Callable[[Params], Awaitable[tuple[Call, Mapping[str, Any]]]]] = {
            "지원-101": self._token,
            "지원-102": self._status,
            "지원-103": self._consents,
            "지원-104": self._resend,
        }
        send = calls.get(_api(request.match_info["api"]))
        if send is None:
            return _text_response(f"the portal calls {', '.join(calls)}", 400)
        try:
            call, body = await send(await _params(request))
        except KeyError as missing:
            return _text_response(f"{missing.args[0]} is missing", 400)
        except InvalidCommand as wrong:
            return _text_response(str(wrong), 400)
        return _text_response(json.dumps({"call": call.row(), "response": body}, ensure_ascii=False, indent=2))

    async def _issue_token(self, request: web.Request) -> web.Response:
        """Obtains an access token: `org_code`, and `client_id`, `scope`, `customer` (1 to 3) unless the first will do.

        The response is JSON. Unknown values get 400, and 502 when the relay issues no token.
        """
        params = await _params(request)
        try:
            scopes, customer = tuple(params.get("scope", "").split()), _number(params.get("customer", "1"), "customer")
            wanted = TokenRequest(params["org_code"], params.get("client_id", ""), scopes, customer)
            token = await self.issue_token(wanted)
        except KeyError as missing:
            return _text_response(f"{missing.args[0]} is missing", 400)
        except (InvalidCommand, UnknownParty) as wrong:
            return _text_response(str(wrong), 400)
        except TokenRefused as refusal:
            return _text_response(str(refusal), 502)
        return web.json_response({"org_code": token.org_code, "industry": token.industry, "access_token": token.token})

    async def _start_login(self, _: web.Request) -> web.Response:
        """Starts an individual authentication. Returns the URL of its login page, 502 when the relay refuses."""
        try:
            return _text_response(await self.start_login())
        except PageFlowError as refusal:
            return _text_response(str(refusal), 502)

    async def _token(self, _: Params) -> tuple[Call, Mapping[str, Any]]:
        return await self.calls.obtain_token(self.relay), {}

    async def _status(self, params: Params) -> tuple[Call, Mapping[str, Any]]:
        org_code = params["org_code"]
        return await self.calls.call("지원-102", org_code, {"org_code": org_code})

    async def _consents(self, params: Params) -> tuple[Call, Mapping[str, Any]]:
        """The customer is given by `login`, since a CI must not be in a URL."""
        customers = {login.login_id: login.customer for login in LOGINS}
        org_code, login_id = params["org_code"], params.get("login", LOGINS[0].login_id)
        if login_id not in customers:
            raise InvalidCommand(f"login is one of {', '.join(customers)}")
        values = {"org_code": org_code, "user_ci": get_ci(customers[login_id])}
        return await self.calls.call("지원-103", org_code, values)

    async def _resend(self, params: Params) -> tuple[Call, Mapping[str, Any]]:
        org_code = params["org_code"]
        values = {
            "org_code": org_code,
            "org_type": params.get("org_type", "03"),
            "inquiry_date": params.get("inquiry_date") or self._last_week(),
            "type": params.get("type", "0"),
        }
        return await self.calls.call("지원-104", org_code, values)

    def _last_week(self) -> str:
        return last_week(self.clock().timestamp())


async def _params(request: web.Request) -> Params:
    form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    return {**request.query, **form}


def _api(api: str) -> str:
    """Returns 지원-002 for `002`, for keyboards without Korean."""
    return api if api.startswith("지원-") else f"지원-{api}"


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise InvalidCommand(f"{name} must be a number")
    return int(text)


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _addresses(text: str) -> tuple[str, ...]:
    """Returns the IP addresses of a text with commas. Raises InvalidCommand."""
    addresses = tuple(part.strip() for part in text.split(","))
    for address in addresses:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise InvalidCommand(f"addresses are IP addresses, separated by commas, not {text}") from None
    return addresses


def _sunday(week: str) -> str:
    """Returns `week`. Raises InvalidCommand unless it is a Sunday."""
    try:
        days_of(week)
    except ValueError:
        raise InvalidCommand(f"week is the Sunday after the week, YYYYMMDD, not {week}") from None
    return week


def _describe(call: ReceivedCall) -> str:
    caller = call.caller or "unknown"
    return f"{call.api_id or call.path}  {caller}  {call.status} {call.rsp_code}  {call.ms:.1f} ms  {call.how}".rstrip()


def _text_response(text: str, status: int = 200) -> web.Response:
    return web.Response(status=status, text=text + "\n")
