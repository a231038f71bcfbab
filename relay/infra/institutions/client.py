"""Institutions asked while a customer waits at the pages: who logs in, and what do they have (규격 3.2.1).

A handful of calls for each consent, far from the data plane, so an ordinary client does. What comes back is hostile
until it is read: bounded, strictly JSON, and never shown in an error.
"""

import json
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from relay.domain.api import Api, Catalogue
from relay.domain.ids import ApiType
from relay.domain.institution import DeskFault, Holding
from relay.domain.strict_json import read_object
from relay.infra.dns.connector import tcp_connector
from relay.infra.institutions.shared_lists import ListKey, SharedLists
from relay.infra.user_agent import HEADERS
from relay.policy.consent.holdings import ListCall, each_once, holdings_in, list_calls, told_apart
from relay.policy.settings.directory import Provider
from relay.policy.settings.scalars import ProviderTimeouts

LIMIT: Final = 500
"""Rows asked for at once, the most the standard allows (규격 1.6)."""

PAGES_MOST: Final = 100
HOLDINGS_MOST: Final = 1000
BODY_MOST: Final = 1_048_576
HOLDINGS_S: Final = 20.0
"""All lists and pages together: nobody looks at an empty page for longer."""

_CURSOR_MOST: Final = 1000
_CI: Final = re.compile(r"[0-9A-Za-z+/]{1,98}={0,2}")
_UNKNOWN: Final = frozenset({401, 404})
_OK: Final = 200
_NOT_REACHED: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request: everything but the base URL."""

    what: str
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)


class HttpInstitutions:
    """`oauth.office.Institutions` over HTTP. One for each generation of settings; `close` it when they change.

    `context_of` gives the TLS context toward an institution, None on a leased line. `serial` gives the 14 free
    characters (0-9A-Z) of a 거래고유번호, others each time.
    """

    def __init__(
        self,
        relay: str,
        catalogue: Catalogue,
        context_of: Callable[[Provider], ssl.SSLContext | None],
        serial: Callable[[], str],
    ) -> None:
        self._relay = relay
        self._catalogue = catalogue
        self._context_of = context_of
        self._serial = serial
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._lists: SharedLists[Sequence[Holding]] = SharedLists(HOLDINGS_S)

    async def close(self) -> None:
        """Cancel the calls for lists and close all connections."""
        await self._lists.close()
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def login(self, provider: Provider, login_id: str, password: str, address: str) -> str | None:
        """The CI of the customer who logs in; None when the institution does not know them. Raises DeskFault.

        `address` is the customer's; the institution reads it in x-customer-ip, unless it is "". The call is documented
        in docs/reference/individual-authentication.md.
        """
        asked = {"org_code": provider.org_code, "login_id": login_id, "password": password}
        headers = self._headers() | {"Content-Type": "application/json; charset=UTF-8"}
        if address:
            headers["x-customer-ip"] = address
        body = json.dumps(asked, ensure_ascii=False).encode()
        ask = _Ask("login", "POST", provider.hosted.login, headers, body=body)
        status, content = await self._answer(provider, ask)
        if status in _UNKNOWN:
            return None
        ci = _told(ask, status, content).get("user_ci")
        if not isinstance(ci, str) or _CI.fullmatch(ci) is None:
            raise DeskFault("login: user_ci is not as documented")
        return ci

    async def holdings(self, provider: Provider, ci: str, client_id: str) -> Sequence[Holding]:
        """The customer's real assets, from the institution's list APIs. Raises DeskFault.

        Who asks for the same while a call is under way shares it; it is cancelled when nobody waits for it any more.
        """
        key = ListKey(provider.org_code, ci, client_id)
        return await self._lists.get(key, lambda: self._all_pages(provider, ci, client_id))

    async def _all_pages(self, provider: Provider, ci: str, client_id: str) -> Sequence[Holding]:
        found: list[Holding] = []
        for call in list_calls(provider.industry, self._catalogue, later=True):
            if _offered(provider, call.api):
                await self._pages(provider, call, ci, client_id, found)
        return told_apart(each_once(found))

    async def _pages(self, provider: Provider, call: ListCall, ci: str, client_id: str, found: list[Holding]) -> None:
        api, cursors = call.api, set[str]()
        path = api.path_for(provider.industry)
        path = path.replace(f"/{api.version}/", f"/{provider.min_version or api.version}/", 1)
        query = {"org_code": provider.org_code, "search_timestamp": "0", "limit": str(LIMIT)}
        while True:
            headers = self._headers() | {"x-api-type": ApiType.USER_CONSENT, "x-user-ci": ci, "x-client-id": client_id}
            ask = _Ask(api.api_id, api.method, path, headers, query)
            body = _told(ask, *await self._answer(provider, ask))
            found += holdings_in(call, body)
            cursor = body.get("next_page")
            if not cursor:
                return
            if not isinstance(cursor, str) or len(cursor) > _CURSOR_MOST or cursor in cursors:
                raise DeskFault(f"{api.api_id}: next_page does not lead on")
            cursors.add(cursor)
            if len(cursors) >= PAGES_MOST or len(found) > HOLDINGS_MOST:
                raise DeskFault(f"{api.api_id}: does not come to an end")
            # search_timestamp stands on first pages only (규격 1.7)
            query = {"org_code": provider.org_code, "limit": str(LIMIT), "next_page": cursor}

    def _headers(self) -> dict[str, str]:
        return {"x-api-tran-id": f"{self._relay}R{self._serial()}", "Accept-Encoding": "identity"}

    async def _answer(self, provider: Provider, ask: _Ask) -> tuple[int, bytes]:
        """Status and body from the first of the institution's places that can be reached."""
        session = self._session(provider)
        for base_url in provider.base_urls:
            try:
                return await _sent(session, base_url, ask)
            except _NOT_REACHED:
                continue
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                raise DeskFault(f"{ask.what}: {type(error).__name__}") from None
        raise DeskFault(f"{ask.what}: cannot be reached")

    def _session(self, provider: Provider) -> aiohttp.ClientSession:
        session = self._sessions.get(provider.org_code)
        if session is None:
            times = provider.timeouts or ProviderTimeouts()
            session = aiohttp.ClientSession(
                connector=tcp_connector(ssl=self._context_of(provider) or True),
                timeout=aiohttp.ClientTimeout(total=times.total_s, sock_connect=times.connect_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                headers=HEADERS,
            )
            self._sessions[provider.org_code] = session
        return session


def _offered(provider: Provider, api: Api) -> bool:
    if provider.industry in api.industries:
        return api.api_code not in provider.apis.left_out
    return api.api_code in provider.apis.turned_on


async def _sent(session: aiohttp.ClientSession, base_url: str, ask: _Ask) -> tuple[int, bytes]:
    async with session.request(
        ask.method, base_url + ask.path, params=ask.query, data=ask.body, headers=ask.headers, allow_redirects=False
    ) as answer:
        tran_id = ask.headers["x-api-tran-id"]
        if answer.headers.get("x-api-tran-id", tran_id) != tran_id:
            raise DeskFault(f"{ask.what}: the answer is another call's")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise DeskFault(f"{ask.what}: the answer is coded though nobody asked for it")
        content = bytearray()
        async for piece in answer.content.iter_any():
            content += piece
            if len(content) > BODY_MOST:
                raise DeskFault(f"{ask.what}: the answer is too large")
        return answer.status, bytes(content)


def _told(ask: _Ask, status: int, content: bytes) -> dict[str, Any]:
    """The JSON object of an answer that is a success. Raises DeskFault."""
    try:
        told = read_object(content)
    except ValueError:
        raise DeskFault(f"{ask.what}: HTTP {status} without a JSON object") from None
    if status != _OK or told.get("rsp_code") != "00000":
        raise DeskFault(f"{ask.what}: HTTP {status}, no success")
    return told
