"""Calls institutions while a customer waits at the pages: the login and the customer's assets (규격 3.2.1).

A consent takes few calls, outside the data plane, so an ordinary HTTP client suffices. Responses are untrusted: their
size is limited, they are parsed as strict JSON and never quoted in an error.
"""

import json
import re
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from relay.domain.api import SUCCESS, Api, Catalogue
from relay.domain.authorization.digest import digest_text
from relay.domain.ids import ApiType
from relay.domain.institution import Holding, InstitutionError
from relay.domain.strict_json import read_object
from relay.infra.diagnostics.outages import OutageLogs
from relay.infra.dns.connector import create_tcp_connector
from relay.infra.institutions.shared_lists import ListKey, SharedLists
from relay.infra.user_agent import HEADERS
from relay.policy.consent.holdings import ListApi, distinguish_labels, find_list_apis, read_holdings, remove_duplicates
from relay.policy.settings.directory import Provider
from relay.policy.settings.scalars import ProviderTimeouts
from relay.policy.upstream.adapter_headers import CONSENT_HEADER, list_base_urls

PAGE_ROWS: Final = 500
"""Rows of a page: the maximum of the standard (규격 1.6)."""

MAX_PAGES: Final = 100
MAX_HOLDINGS: Final = 1000
MAX_BODY_BYTES: Final = 1_048_576
HOLDINGS_S: Final = 20.0
"""Seconds for all lists and pages together, while the customer looks at an empty page."""

_MAX_CURSOR_LENGTH: Final = 1000
_CI: Final = re.compile(r"[0-9A-Za-z+/]{1,98}={0,2}")
_LOGIN_REJECTED: Final = frozenset({401, 404})
_OK: Final = 200
_UNREACHABLE: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@dataclass(frozen=True, slots=True)
class _InstitutionRequest:
    """A request without its base URL. `name` names it in errors."""

    name: str
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)


class HttpInstitutionClient:
    """HTTP client of institutions for the authority. Create one for each plan and `close` the former one.

    It logs when an institution begins to fail, and when it responds again.

    `context_of` returns the TLS context for an institution, None on a leased line. `serial` returns 14 new characters
    (0-9A-Z) for each 거래고유번호. `adapter` is the unix socket of the adapter, for institutions that need it.
    """

    def __init__(
        self,
        relay: str,
        catalogue: Catalogue,
        context_of: Callable[[Provider], ssl.SSLContext | None],
        serial: Callable[[], str],
        adapter: str = "",
    ) -> None:
        self._relay = relay
        self._catalogue = catalogue
        self._context_of = context_of
        self._serial = serial
        self._adapter = adapter
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._outages = OutageLogs()
        self._lists: SharedLists[Sequence[Holding]] = SharedLists(HOLDINGS_S)

    async def close(self) -> None:
        """Cancels list calls and closes all connections."""
        await self._lists.close()
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def login(self, provider: Provider, login_id: str, password: str, address: str) -> str | None:
        """Returns the CI of the customer; None when the institution rejects the login. Raises InstitutionError.

        The customer's `address` is sent as x-customer-ip unless it is "". The call is documented in
        docs/reference/individual-authentication.md.
        """
        credentials = {"org_code": provider.org_code, "login_id": login_id, "password": password}
        headers = self._headers() | {"Content-Type": "application/json; charset=UTF-8"}
        if address:
            headers["x-customer-ip"] = address
        body = json.dumps(credentials, ensure_ascii=False).encode()
        request = _InstitutionRequest("login", "POST", provider.hosted.login, headers, body=body)
        with self._log_outage(provider):
            status, content = await self._send_to_any(provider, request)
            if status in _LOGIN_REJECTED:
                return None
            ci = _parse_success(request, status, content).get("user_ci")
            if not isinstance(ci, str) or _CI.fullmatch(ci) is None:
                raise InstitutionError("login: user_ci is not as documented")
            return ci

    async def holdings(self, provider: Provider, ci: str, client_id: str) -> Sequence[Holding]:
        """Returns the customer's assets from the institution's list APIs. Raises InstitutionError.

        Requests for the same customer and service share a running call, which is cancelled with its last waiter.
        """
        key = ListKey(provider.org_code, ci, client_id)
        with self._log_outage(provider):
            return await self._lists.get(key, lambda: self._load_lists(provider, ci, client_id))

    @contextmanager
    def _log_outage(self, provider: Provider) -> Iterator[None]:
        subject = f"institution: org_code={provider.org_code}"
        try:
            yield
        except InstitutionError as error:
            self._outages.record_failure(subject, f'"{error}"')
            raise
        self._outages.record_success(subject)

    async def _load_lists(self, provider: Provider, ci: str, client_id: str) -> Sequence[Holding]:
        holdings: list[Holding] = []
        for call in find_list_apis(provider.industry, self._catalogue, later=True):
            if _is_offered(provider, call.api):
                await self._load_pages(provider, call, ci, client_id, holdings)
        return distinguish_labels(remove_duplicates(holdings))

    async def _load_pages(
        self, provider: Provider, call: ListApi, ci: str, client_id: str, holdings: list[Holding]
    ) -> None:
        api, cursors = call.api, set[str]()
        path = api.path_for(provider.industry)
        path = path.replace(f"/{api.version}/", f"/{provider.min_version or api.version}/", 1)
        query = {"org_code": provider.org_code, "search_timestamp": "0", "limit": str(PAGE_ROWS)}
        while True:
            headers = self._headers() | {"x-api-type": ApiType.USER_CONSENT, "x-user-ci": ci, "x-client-id": client_id}
            if provider.needs_adapter:
                headers[CONSENT_HEADER.decode()] = digest_text(f"{ci} {client_id}").hex()
            request = _InstitutionRequest(api.api_id, api.method, path, headers, query)
            body = _parse_success(request, *await self._send_to_any(provider, request))
            holdings += read_holdings(call, body)
            cursor = body.get("next_page")
            if not cursor:
                return
            if not isinstance(cursor, str) or len(cursor) > _MAX_CURSOR_LENGTH or cursor in cursors:
                raise InstitutionError(f"{api.api_id}: next_page is malformed or repeated")
            cursors.add(cursor)
            if len(cursors) >= MAX_PAGES or len(holdings) > MAX_HOLDINGS:
                raise InstitutionError(f"{api.api_id}: too many pages or rows")
            # only the first page has search_timestamp (규격 1.7)
            query = {"org_code": provider.org_code, "limit": str(PAGE_ROWS), "next_page": cursor}

    def _headers(self) -> dict[str, str]:
        return {"x-api-tran-id": f"{self._relay}R{self._serial()}", "Accept-Encoding": "identity"}

    async def _send_to_any(self, provider: Provider, request: _InstitutionRequest) -> tuple[int, bytes]:
        """Returns status and body from the first base URL of the institution that accepts a connection."""
        session = self._session(provider)
        for base_url in list_base_urls(provider):
            try:
                return await _send(session, base_url, request)
            except _UNREACHABLE:
                continue
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                raise InstitutionError(f"{request.name}: {type(error).__name__}") from None
        raise InstitutionError(f"{request.name}: cannot be reached")

    def _session(self, provider: Provider) -> aiohttp.ClientSession:
        session = self._sessions.get(provider.org_code)
        if session is None:
            timeouts = provider.timeouts or ProviderTimeouts()
            session = aiohttp.ClientSession(
                connector=self._create_connector(provider),
                timeout=aiohttp.ClientTimeout(total=timeouts.total_s, sock_connect=timeouts.connect_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                headers=HEADERS,
            )
            self._sessions[provider.org_code] = session
        return session

    def _create_connector(self, provider: Provider) -> aiohttp.BaseConnector:
        if provider.needs_adapter:
            return aiohttp.UnixConnector(self._adapter, force_close=True)
        return create_tcp_connector(ssl=self._context_of(provider) or True)


def _is_offered(provider: Provider, api: Api) -> bool:
    if provider.industry in api.industries:
        return api.api_code not in provider.apis.left_out
    return api.api_code in provider.apis.turned_on


async def _send(session: aiohttp.ClientSession, base_url: str, request: _InstitutionRequest) -> tuple[int, bytes]:
    async with session.request(
        request.method,
        base_url + request.path,
        params=request.query,
        data=request.body,
        headers=request.headers,
        allow_redirects=False,
    ) as response:
        tran_id = request.headers["x-api-tran-id"]
        if response.headers.get("x-api-tran-id", tran_id) != tran_id:
            raise InstitutionError(f"{request.name}: response has another x-api-tran-id")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise InstitutionError(f"{request.name}: response has a Content-Encoding")
        content = bytearray()
        async for piece in response.content.iter_any():
            content += piece
            if len(content) > MAX_BODY_BYTES:
                raise InstitutionError(f"{request.name}: response exceeds {MAX_BODY_BYTES} bytes")
        return response.status, bytes(content)


def _parse_success(request: _InstitutionRequest, status: int, content: bytes) -> dict[str, Any]:
    """Returns the JSON object of a successful response. Raises InstitutionError."""
    try:
        body = read_object(content)
    except ValueError:
        raise InstitutionError(f"{request.name}: HTTP {status} without a JSON object") from None
    if status != _OK or body.get("rsp_code") != SUCCESS:
        raise InstitutionError(f"{request.name}: HTTP {status}, rsp_code is not 00000")
    return body
