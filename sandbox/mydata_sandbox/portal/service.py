"""The service of the simulated portal: 지원-001 to -006 as plain functions of the request."""

import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.portal.comparing import compare
from mydata_sandbox.portal.registry import EVERYTHING, SimulatedRegistry
from relay.domain.api import Api, Catalogue
from relay.domain.ids import is_tran_id, normalize_serial
from relay.domain.registry import Organisation, OrgType

TOKEN: Final = "지원-001"  # noqa: S105 - an API
OPERATORS_FIGURES: Final = "지원-004"
PROVIDERS_FIGURES: Final = "지원-005"
SERVED: Final = (TOKEN, "지원-002", "지원-003", OPERATORS_FIGURES, PROVIDERS_FIGURES, "지원-006")

_PROVIDERS: Final = frozenset({OrgType.OWN_API, OrgType.RELAY})
_CERTIFIERS: Final = frozenset({OrgType.IDENTITY_CERTIFIER, OrgType.SIGNATURE_CERTIFIER})
_ALL_CALLERS: Final = _PROVIDERS | _CERTIFIERS | {OrgType.OPERATOR}
_ALLOWED_CALLERS: Final[Mapping[str, frozenset[OrgType]]] = {
    TOKEN: _ALL_CALLERS,
    "지원-002": _ALL_CALLERS,
    "지원-003": _PROVIDERS,
    OPERATORS_FIGURES: frozenset({OrgType.OPERATOR}),
    PROVIDERS_FIGURES: _PROVIDERS,
    "지원-006": _CERTIFIERS,
}
"""Allowed callers by API (규격 7장)."""

_CONSENTS: Final = frozenset({"consent_new", "consent_revoke", "consent_own"})
_SUCCESS: Final = {"rsp_code": "00000", "rsp_msg": "성공"}
_SUNDAY: Final = 7
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    """An account: the SERIALNUMBER of its certificate, and its client credentials (지원-001)."""

    org_code: str
    serial_num: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request. `serial` is the certificate's, None without one. `values` come from query, form or JSON body."""

    method: str
    path: str
    tran_id: str
    serial: str | None
    address: str
    bearer: str = field(repr=False)
    values: Body | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """HTTP status and JSON body. `caller` and `api_id` are "" when unknown."""

    status: int
    body: Body = field(repr=False)
    caller: str = ""
    api_id: str = ""


class Refused(Exception):
    """The portal refuses a request: HTTP status, rsp_code, and the OAuth error for 지원-001 (규격 3.10)."""

    def __init__(self, status: HTTPStatus, rsp_code: str, error: str = "unauthorized_client") -> None:
        super().__init__(rsp_code)
        self.status = status
        self.rsp_code = rsp_code
        self.error = error


@dataclass(slots=True)
class _IssuedToken:
    """The owner of a token and its expiry."""

    org_code: str
    until: datetime


class PortalService:
    """The portal's registry, accounts, issued tokens and accepted statistics.

    `token_s` is the lifetime of a token. `uploads` are accepted statistics: api_id, org_code of the sender, body.
    """

    def __init__(
        self,
        registry: SimulatedRegistry,
        accounts: Iterable[Account],
        catalogue: Catalogue,
        clock: Callable[[], datetime],
    ) -> None:
        self.registry = registry
        self.token_s = 86_400
        self.uploads: list[tuple[str, str, Body]] = []
        self._accounts = {account.org_code: account for account in accounts}
        self._apis = {(api.method, api.path): api for api in map(catalogue.apis.__getitem__, SERVED)}
        self._codes = {api.api_code for api in catalogue.apis.values() if api.api_code}
        self._clock = clock
        self._tokens: dict[str, _IssuedToken] = {}

    def put_account(self, account: Account) -> None:
        """Adds or replaces an account."""
        self._accounts[account.org_code] = account

    def forget_tokens(self) -> None:
        """Revokes all issued tokens."""
        self._tokens.clear()

    def has_statistics(self, week: str) -> bool:
        """Returns True when an operator or the relay has sent statistics of a week (inquiry_date)."""
        return any(body["inquiry_date"] == week for _, _, body in self.uploads)

    def differences(self, week: str) -> list[str]:
        """Returns differences between the operators' and the relay's statistics of a week (inquiry_date)."""
        of_week = [upload for upload in self.uploads if upload[2]["inquiry_date"] == week]
        operator_uploads = [(sender, body) for api_id, sender, body in of_week if api_id == OPERATORS_FIGURES]
        relay_uploads = [
            {"org_code": sender, **body} for api_id, sender, body in of_week if api_id == PROVIDERS_FIGURES
        ]  # an institution with its own API sends no org_code
        return compare(operator_uploads, relay_uploads)

    def find_api(self, request: ReceivedRequest) -> Api | None:
        """Returns the API of the request."""
        return self._apis.get((request.method, request.path))

    def respond(self, request: ReceivedRequest) -> Reply:
        """Returns the response. Errors of the caller are responses too."""
        api, caller = self.find_api(request), ""
        api_id = api.api_id if api is not None else ""
        try:
            organisation = self._identify(request)
            caller = organisation.org_code
            body = self._respond(self._check_request(api, request), request, organisation)
        except Refused as refusal:
            body = {"error": refusal.error} if api_id == TOKEN else {"rsp_code": refusal.rsp_code, "rsp_msg": "실패"}
            status = HTTPStatus.BAD_REQUEST if api_id == TOKEN else refusal.status
            return Reply(status, body, caller, api_id)
        return Reply(HTTPStatus.OK, body, caller, api_id)

    def everything(self, reply: Reply) -> list[Body]:
        """Returns the full list of the API that was called."""
        lists: dict[str, Callable[[str], list[Body]]] = {
            "지원-002": self.registry.org_list,
            "지원-003": self.registry.service_list,
            "지원-006": self.registry.org_list_for_certifiers,
        }
        return lists[reply.api_id](EVERYTHING)

    def _identify(self, request: ReceivedRequest) -> Organisation:
        """Returns the organisation of the certificate and address."""
        serial = normalize_serial(request.serial or "")
        for account in self._accounts.values():
            organisation = self.registry.organisations.get(account.org_code)
            if organisation is not None and serial and serial == normalize_serial(account.serial_num):
                if request.address not in organisation.addresses:
                    raise Refused(HTTPStatus.UNAUTHORIZED, "40102")
                return organisation
        raise Refused(HTTPStatus.UNAUTHORIZED, "40103")

    def _check_request(self, api: Api | None, request: ReceivedRequest) -> Api:
        if api is None:
            raise Refused(HTTPStatus.NOT_FOUND, "40401")
        if not is_tran_id(request.tran_id):
            raise Refused(HTTPStatus.BAD_REQUEST, "40002", "invalid_request")
        return api

    def _respond(self, api: Api, request: ReceivedRequest, caller: Organisation) -> Body:
        if caller.org_type not in _ALLOWED_CALLERS[api.api_id]:
            raise Refused(HTTPStatus.FORBIDDEN, "40301")
        if api.api_id != TOKEN:
            token = self._tokens.get(request.bearer)
            if token is None or token.org_code != caller.org_code or token.until <= self._clock():
                raise Refused(HTTPStatus.UNAUTHORIZED, "40101")
        return self._dispatch(api, _validate(api, request.values), caller)

    def _dispatch(self, api: Api, values: Body, caller: Organisation) -> Body:
        match api.api_id:
            case "지원-001":
                return self._token(values, caller)
            case "지원-002":
                return self._build_list(self.registry.org_list(values["search_timestamp"]))
            case "지원-003":
                return self._build_list(self.registry.service_list(values["search_timestamp"]))
            case "지원-006":
                return self._build_list(self.registry.org_list_for_certifiers(values["search_timestamp"]))
            case _:
                return self._accept_statistics(api.api_id, values, caller)

    def _token(self, form: Body, caller: Organisation) -> Body:
        account = self._accounts[caller.org_code]
        if not hmac.compare_digest(account.client_secret.encode(), str(form["client_secret"]).encode()):
            raise Refused(HTTPStatus.BAD_REQUEST, "40101", "invalid_client")
        if form["client_id"] != account.client_id:
            raise Refused(HTTPStatus.BAD_REQUEST, "40101", "invalid_client")
        token = secrets.token_urlsafe(32)
        self._tokens[token] = _IssuedToken(caller.org_code, self._clock() + timedelta(seconds=self.token_s))
        return {"token_type": "Bearer", "access_token": token, "expires_in": str(self.token_s), "scope": "manage"}

    def _build_list(self, rows: list[Body]) -> Body:
        return {
            **_SUCCESS,
            "search_timestamp": self.registry.timestamp(),
            "org_cnt": str(len(rows)),
            "org_list": rows,
        }

    def _accept_statistics(self, api_id: str, body: Body, caller: Organisation) -> Body:
        """Accepts statistics of the caller's own parties for the seven days before a Sunday."""
        if api_id == OPERATORS_FIGURES:
            service = self.registry.services.get(body["client_id"])
            if service is None or service.operator != caller.org_code:
                raise Refused(HTTPStatus.FORBIDDEN, "40303")
        elif not self._represents(caller, body.get("org_code")):
            raise Refused(HTTPStatus.FORBIDDEN, "40303")
        if not _is_week(body) or not self._is_complete(body):
            raise Refused(HTTPStatus.BAD_REQUEST, "40001")
        self.uploads.append((api_id, caller.org_code, body))
        return _SUCCESS

    def _represents(self, caller: Organisation, provider: str | None) -> bool:
        """A relay sends a member's org_code, an institution with its own API sends none (지원-005)."""
        if caller.org_type is not OrgType.RELAY:
            return provider is None
        member = self.registry.organisations.get(provider or "")
        return member is not None and member.relay == caller.org_code

    def _is_complete(self, body: Body) -> bool:
        """Consents are only in type 2. APIs are those of 첨부12, each with both slots."""
        for day in body["stat_date_list"]:
            for holder in day.get("org_list", day.get("mydata_svc_list", ())):
                if _CONSENTS & holder.keys() != (_CONSENTS if body["type"] == "2" else set()):
                    return False
                for api in holder.get("api_type_list", ()):
                    slots = sorted(slot["tm_slot"] for slot in api["tm_slot_list"])
                    if api["api_type"] not in self._codes or slots != ["00", "01"]:
                        return False
        return True


def _validate(api: Api, values: Body | None) -> Body:
    """Returns the fields of a request, validated against the catalogue."""
    whole = replace(api, response=replace(api.request, body=(*api.request.query, *api.request.body)))
    if values is None or find_strict_violations(whole, values):
        raise Refused(HTTPStatus.BAD_REQUEST, "40001", "invalid_request")
    return values


def _is_week(body: Body) -> bool:
    sunday = datetime.strptime(body["inquiry_date"], "%Y%m%d").date()  # noqa: DTZ007 - a date without a time zone
    days = [f"{sunday - timedelta(days=before):%Y%m%d}" for before in range(7, 0, -1)]
    return sunday.isoweekday() == _SUNDAY and [day["stat_date"] for day in body["stat_date_list"]] == days
