"""A simulated institution (정보제공자): serves the data APIs of its industry by the handlers of the world, and logins.

`Provider.respond` is a plain function of the request. aiohttp only transports the bytes.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from aiohttp import web

from mydata_sandbox.checks.withheld import remove_members
from mydata_sandbox.institution import login
from mydata_sandbox.institution.failure_modes import InstitutionFailures
from mydata_sandbox.institution.misbehaviour import WrittenReply, change_bytes, change_fields, send
from mydata_sandbox.world.ci import CUSTOMER_BY_CI
from mydata_sandbox.world.days import DAY
from mydata_sandbox.world.model import CUSTOMERS, ApiError, DataHandler, DataRequest, answer, get_page_number
from relay.domain.api import Api, Catalogue, Field, Presence
from relay.domain.ids import is_tran_id
from relay.domain.korea import KOREA

MAX_LIMIT: Final = 500
_CARD_ID: Final = "{card_id}"
_API_LIST: Final = "정보제공-공통-001"


def today_in_korea() -> date:
    """Returns today's date in Korea, the time zone of the standard."""
    return datetime.now(KOREA).date()


def last_day_in_korea() -> date:
    """Returns yesterday in Korea: the last complete day. Data have no later day."""
    return today_in_korea() - DAY


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A request at an institution: decoded path, parameters of the query or JSON body."""

    method: str
    path: str
    params: Mapping[str, str]
    user_ci: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """HTTP status and JSON body."""

    status: int
    body: Mapping[str, Any]


class Provider:
    """An institution of one industry. `today` returns the last day with data, at each request."""

    def __init__(
        self,
        org_code: str,
        industry: str,
        catalogue: Catalogue,
        handlers: Mapping[str, DataHandler],
        today: Callable[[], date] = last_day_in_korea,
        failures: InstitutionFailures | None = None,
    ) -> None:
        self.org_code = org_code
        self.industry = industry
        self._handlers = {**handlers, _API_LIST: self._list_apis}
        self._today = today
        self._failures = failures or InstitutionFailures((org_code,))
        self._apis = {api.path_for(industry): api for api in catalogue.iter_apis(industry)}

    def application(self) -> web.Application:
        """Returns the institution as an aiohttp application."""
        app = web.Application()
        app.router.add_route("*", "/{anything:.*}", self._handle)
        return app

    def respond(self, request: ProviderRequest) -> Reply:
        """Returns the response to `request`. Errors of the caller are responses too."""
        try:
            return Reply(200, self._answer(request))
        except ApiError as absent:
            return Reply(absent.status, {"rsp_code": absent.rsp_code, "rsp_msg": absent.rsp_msg})

    def _answer(self, request: ProviderRequest) -> dict[str, Any]:
        if (request.method, request.path) == ("POST", login.PATH):
            return login.log_in(self.org_code, request.params)
        api, params = self._find(request)
        if params.get("org_code") != self.org_code:
            raise ApiError(403, "40303", "기관코드가 올바르지 않습니다")
        for field in (*api.request.query, *api.request.body):
            _check(field, params)
        customer = CUSTOMERS[0]
        if request.user_ci is not None and api.api_id != _API_LIST:
            known = CUSTOMER_BY_CI.get(request.user_ci)
            if known is None:
                raise ApiError(404, "40403", "정보주체가 존재하지 않습니다")
            customer = known
        return answer(self._handlers, DataRequest(api, self.industry, customer, params, self._today()))

    def _find(self, request: ProviderRequest) -> tuple[Api, Mapping[str, str]]:
        params = request.params
        api = self._apis.get(request.path)
        if api is None:
            parts = request.path.split("/")  # "", version, industry, "cards", card_id, ...
            if len(parts) > 4:  # noqa: PLR2004 - the position of card_id in the standard
                params = {**params, "card_id": parts[4]}
                api = self._apis.get("/".join([*parts[:4], _CARD_ID, *parts[5:]]))
        if api is None:
            raise ApiError(404, "40401", "요청한 엔드포인트가 존재하지 않습니다")
        if request.method != api.method:
            raise ApiError(405, "40501", "허용되지 않는 HTTP Method입니다")
        return api, params

    def _list_apis(self, _: DataRequest) -> dict[str, Any]:
        rows = [{"api_code": api.api_code, "api_uri": api.resource} for api in self._apis.values()]
        return {"version": next(api.version for api in self._apis.values() if api.version), "api_list": rows}

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        api = None
        try:
            params = await read_parameters(request)
        except ConnectionResetError:
            return web.Response(status=400)  # the caller has cut the request and reads nothing
        except ValueError:
            params, reply = {}, Reply(400, {"rsp_code": "40001", "rsp_msg": "요청 본문이 올바른 JSON이 아닙니다"})
        else:
            ci = request.headers.get("x-user-ci", "")  # a call without a customer gets no data
            provider_request = ProviderRequest(request.method, request.path, params, ci)
            api, reply = self._find_data_api(provider_request), self.respond(provider_request)
        how = "" if api is None else self._failures.take(self.org_code, api.api_id, get_page_number(params))
        fields = reply.body if api is None or not how else change_fields(how, reply.body, api, params)
        written = _write(request, reply.status, fields)
        if not how:
            return web.Response(status=written.status, body=written.body, headers=written.headers)
        return await send(how, request, change_bytes(how, written, fields), self._failures)

    def _find_data_api(self, request: ProviderRequest) -> Api | None:
        """Returns the API of a call, None for a login or an unknown path."""
        try:
            return self._find(request)[0]
        except ApiError:
            return None


def _write(request: web.Request, status: int, fields: Mapping[str, Any]) -> WrittenReply:
    """Returns the response with the call's x-api-tran-id, without the fields that the customer did not consent to."""
    tran_id = request.headers.get("x-api-tran-id", "")
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    if is_tran_id(tran_id):
        headers["x-api-tran-id"] = tran_id
    body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    if withheld := request.headers.get("x-consent-withheld"):
        body = remove_members(body, frozenset(withheld.split()))
    return WrittenReply(status, headers, body)


async def read_parameters(request: web.Request) -> dict[str, str]:
    """Returns the parameters of a call. Raises ValueError for a body that is no JSON object."""
    if request.method != "POST":
        return dict(request.query)
    body = json.loads(await request.read())
    if not isinstance(body, dict):
        raise ValueError("the body must be an object")  # noqa: TRY004 - all invalid bodies raise ValueError
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}


def _check(field: Field, params: Mapping[str, str]) -> None:
    value = params.get(field.name)
    if value is None:
        if field.presence is Presence.REQUIRED:
            raise _parameter_error(field.name)
        return
    if field.type == "N" and not (value.isascii() and value.isdigit()):
        raise _parameter_error(field.name)
    if field.type == "DATE":
        try:
            datetime.strptime(value, "%Y%m%d").replace(tzinfo=KOREA)
        except ValueError as error:
            raise _parameter_error(field.name) from error
    if field.name == "limit" and not 1 <= int(value) <= MAX_LIMIT:
        raise _parameter_error(field.name)


def _parameter_error(name: str) -> ApiError:
    return ApiError(400, "40001", f"요청 파라미터 오류: {name}")
