"""What the pretended portal answers when it behaves: 지원-001 to -006 as plain functions of what was asked."""

import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from relay.domain.api import Api, Catalogue
from relay.domain.ids import TRAN_ID, normalize_serial
from relay.domain.registry import Organisation, OrgType
from relay.policy.response.conformance import find_violations
from relay.sandbox.portal.comparing import compare
from relay.sandbox.portal.registry import EVERYTHING, PretendedRegistry

TOKEN: Final = "지원-001"  # noqa: S105 - an API
OPERATORS_FIGURES: Final = "지원-004"
PROVIDERS_FIGURES: Final = "지원-005"
SERVED: Final = (TOKEN, "지원-002", "지원-003", OPERATORS_FIGURES, PROVIDERS_FIGURES, "지원-006")

_PROVIDERS: Final = frozenset({OrgType.OWN_API, OrgType.RELAY})
_CERTIFIERS: Final = frozenset({OrgType.IDENTITY_CERTIFIER, OrgType.SIGNATURE_CERTIFIER})
_EVERYBODY: Final = _PROVIDERS | _CERTIFIERS | {OrgType.OPERATOR}
_MAY: Final[Mapping[str, frozenset[OrgType]]] = {
    TOKEN: _EVERYBODY,
    "지원-002": _EVERYBODY,
    "지원-003": _PROVIDERS,
    OPERATORS_FIGURES: frozenset({OrgType.OPERATOR}),
    PROVIDERS_FIGURES: _PROVIDERS,
    "지원-006": _CERTIFIERS,
}
"""Who may call what (규격 7장)."""

_CONSENTS: Final = frozenset({"consent_new", "consent_revoke", "consent_own"})
_SUCCESS: Final = {"rsp_code": "00000", "rsp_msg": "성공"}
_SUNDAY: Final = 7
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the portal knows: by the SERIALNUMBER of their certificate and by what it gave them to show (지원-001)."""

    org_code: str
    serial_num: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """One call as it came. `serial` is the certificate's, None without one; `values` of query, form or JSON body."""

    method: str
    path: str
    tran_id: str
    serial: str | None
    address: str
    bearer: str = field(repr=False)
    values: Body | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """HTTP status and JSON body; who asked ("" when that is not known), and by which API ("" when by none)."""

    status: int
    body: Body = field(repr=False)
    caller: str = ""
    api_id: str = ""


class Refused(Exception):
    """The portal says no: HTTP status and rsp_code, and the OAuth error that says it at 지원-001 (규격 3.10)."""

    def __init__(self, status: HTTPStatus, rsp_code: str, error: str = "unauthorized_client") -> None:
        super().__init__(rsp_code)
        self.status = status
        self.rsp_code = rsp_code
        self.error = error


@dataclass(slots=True)
class _Given:
    """A token: whose, and until when."""

    org_code: str
    until: datetime


class PortalDesk:
    """Knows the registry, the accounts, the tokens it gave and the statistics it took.

    `token_s` is how long a token lasts. `uploads` are what was accepted: api_id, org_code of the sender, body.
    """

    def __init__(
        self,
        registry: PretendedRegistry,
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
        self._tokens: dict[str, _Given] = {}

    def put_account(self, account: Account) -> None:
        """Know somebody, or what they show from now on."""
        self._accounts[account.org_code] = account

    def forget_tokens(self) -> None:
        """Every token given so far is taken back."""
        self._tokens.clear()

    def differences(self, week: str) -> list[str]:
        """How the operators' figures of a week (inquiry_date) differ from the relay's; empty when they agree."""
        of_week = [upload for upload in self.uploads if upload[2]["inquiry_date"] == week]
        told = [(sender, body) for api_id, sender, body in of_week if api_id == OPERATORS_FIGURES]
        counted = [
            {"org_code": sender, **body} for api_id, sender, body in of_week if api_id == PROVIDERS_FIGURES
        ]  # who has an API of its own names nobody: it means itself
        return compare(told, counted)

    def api_of(self, asked: Asked) -> Api | None:
        """The API that is asked for."""
        return self._apis.get((asked.method, asked.path))

    def respond(self, asked: Asked) -> Reply:
        """The answer: never raises for what the caller got wrong."""
        api, caller = self.api_of(asked), ""
        api_id = api.api_id if api is not None else ""
        try:
            known = self._known(asked)
            caller = known.org_code
            body = self._answered(self._fitting(api, asked), asked, known)
        except Refused as no:
            told = {"error": no.error} if api_id == TOKEN else {"rsp_code": no.rsp_code, "rsp_msg": "실패"}
            status = HTTPStatus.BAD_REQUEST if api_id == TOKEN else no.status
            return Reply(status, told, caller, api_id)
        return Reply(HTTPStatus.OK, body, caller, api_id)

    def everything(self, reply: Reply) -> list[Body]:
        """The full list of the API that was answered."""
        lists: dict[str, Callable[[str], list[Body]]] = {
            "지원-002": self.registry.org_list,
            "지원-003": self.registry.service_list,
            "지원-006": self.registry.org_list_for_certifiers,
        }
        return lists[reply.api_id](EVERYTHING)

    def _known(self, asked: Asked) -> Organisation:
        """Who holds the certificate, calling from an address of theirs."""
        serial = normalize_serial(asked.serial or "")
        for account in self._accounts.values():
            one = self.registry.organisations.get(account.org_code)
            if one is not None and serial and serial == normalize_serial(account.serial_num):
                if asked.address not in one.addresses:
                    raise Refused(HTTPStatus.UNAUTHORIZED, "40102")
                return one
        raise Refused(HTTPStatus.UNAUTHORIZED, "40103")

    def _fitting(self, api: Api | None, asked: Asked) -> Api:
        if api is None:
            raise Refused(HTTPStatus.NOT_FOUND, "40401")
        if not TRAN_ID.fullmatch(asked.tran_id):
            raise Refused(HTTPStatus.BAD_REQUEST, "40002", "invalid_request")
        return api

    def _answered(self, api: Api, asked: Asked, caller: Organisation) -> Body:
        if caller.org_type not in _MAY[api.api_id]:
            raise Refused(HTTPStatus.FORBIDDEN, "40301")
        if api.api_id != TOKEN:
            given = self._tokens.get(asked.bearer)
            if given is None or given.org_code != caller.org_code or given.until <= self._clock():
                raise Refused(HTTPStatus.UNAUTHORIZED, "40101")
        return self._by_api(api, _held(api, asked.values), caller)

    def _by_api(self, api: Api, values: Body, caller: Organisation) -> Body:
        match api.api_id:
            case "지원-001":
                return self._token(values, caller)
            case "지원-002":
                return self._listed(self.registry.org_list(values["search_timestamp"]))
            case "지원-003":
                return self._listed(self.registry.service_list(values["search_timestamp"]))
            case "지원-006":
                return self._listed(self.registry.org_list_for_certifiers(values["search_timestamp"]))
            case _:
                return self._taken(api.api_id, values, caller)

    def _token(self, form: Body, caller: Organisation) -> Body:
        account = self._accounts[caller.org_code]
        if not hmac.compare_digest(account.client_secret.encode(), str(form["client_secret"]).encode()):
            raise Refused(HTTPStatus.BAD_REQUEST, "40101", "invalid_client")
        if form["client_id"] != account.client_id:
            raise Refused(HTTPStatus.BAD_REQUEST, "40101", "invalid_client")
        token = secrets.token_urlsafe(32)
        self._tokens[token] = _Given(caller.org_code, self._clock() + timedelta(seconds=self.token_s))
        return {"token_type": "Bearer", "access_token": token, "expires_in": str(self.token_s), "scope": "manage"}

    def _listed(self, rows: list[Body]) -> Body:
        return {
            **_SUCCESS,
            "search_timestamp": self.registry.timestamp(),
            "org_cnt": str(len(rows)),
            "org_list": rows,
        }

    def _taken(self, api_id: str, body: Body, caller: Organisation) -> Body:
        """Statistics are kept when they are about the seven days before a Sunday and about somebody of the caller's."""
        if api_id == OPERATORS_FIGURES:
            service = self.registry.services.get(body["client_id"])
            if service is None or service.operator != caller.org_code:
                raise Refused(HTTPStatus.FORBIDDEN, "40303")
        elif not self._speaks_for(caller, body.get("org_code")):
            raise Refused(HTTPStatus.FORBIDDEN, "40303")
        if not _is_week(body) or not self._is_counted(body):
            raise Refused(HTTPStatus.BAD_REQUEST, "40001")
        self.uploads.append((api_id, caller.org_code, body))
        return _SUCCESS

    def _speaks_for(self, caller: Organisation, provider: str | None) -> bool:
        """A relay names a member of its own; who has an API of its own names nobody (지원-005)."""
        if caller.org_type is not OrgType.RELAY:
            return provider is None
        member = self.registry.organisations.get(provider or "")
        return member is not None and member.relay == caller.org_code

    def _is_counted(self, body: Body) -> bool:
        """Consents stand in type 2 and in no other; APIs are those of 첨부12, each with both slots."""
        for day in body["stat_date_list"]:
            for holder in day.get("org_list", day.get("mydata_svc_list", ())):
                if _CONSENTS & holder.keys() != (_CONSENTS if body["type"] == "2" else set()):
                    return False
                for told in holder.get("api_type_list", ()):
                    slots = sorted(slot["tm_slot"] for slot in told["tm_slot_list"])
                    if told["api_type"] not in self._codes or slots != ["00", "01"]:
                        return False
        return True


def _held(api: Api, values: Body | None) -> Body:
    """The fields of a request, held against the catalogue."""
    whole = replace(api, response=replace(api.request, body=(*api.request.query, *api.request.body)))
    if values is None or find_violations(whole, values):
        raise Refused(HTTPStatus.BAD_REQUEST, "40001", "invalid_request")
    return values


def _is_week(body: Body) -> bool:
    sunday = datetime.strptime(body["inquiry_date"], "%Y%m%d").date()  # noqa: DTZ007 - a day, wherever it is
    days = [f"{sunday - timedelta(days=before):%Y%m%d}" for before in range(7, 0, -1)]
    return sunday.isoweekday() == _SUNDAY and [day["stat_date"] for day in body["stat_date_list"]] == days
