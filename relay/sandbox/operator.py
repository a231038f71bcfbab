"""The pretended operator (마이데이터사업자): makes every call its tokens allow, once, through the relay's door."""

import json
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from relay.domain.api import Api, Catalogue
from relay.sandbox.certificates import Pair
from relay.sandbox.figures import Figures
from relay.sandbox.learning import NothingLearnt, next_page_of, request_for

PAGES_MOST: Final = 200
TIMEOUT_S: Final = 30
_GOOD: Final = frozenset({"00000", "00001"})
Check = Callable[[Api, dict[str, Any]], Sequence[str]]
"""What is wrong with an answer when it is held against the catalogue."""


@dataclass(frozen=True, slots=True)
class Visit:
    """An institution to be asked, with the token for it."""

    org_code: str
    industry: str
    token: str = field(repr=False)


@dataclass(slots=True)
class Call:
    """One (industry, API) pair asked to its last page. `path` leaves card_id open: it identifies an asset."""

    api_id: str
    industry: str
    org_code: str
    method: str
    path: str
    status: int = 0
    rsp_code: str = ""
    ms: float = 0.0
    ok: bool = False
    why: list[str] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """The call as JSON; `why` only when there is something to say."""
        told = asdict(self) | {"ms": round(self.ms, 2)}
        if not self.why:
            del told["why"]
        return told


@dataclass(frozen=True, slots=True)
class Page:
    """One answer as it came."""

    status: int
    body: dict[str, Any] | None
    echoed: bool
    ms: float


class PretendedOperator:
    """Walks the street through the relay at `gateway`; `session` brings the operator's certificate.

    Every answer is counted in `figures`, each page by itself, as the relay counts them.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        gateway: str,
        *,
        org_code: str,
        client_id: str,
        check: Check,
        today: date,
        figures: Figures | None = None,
    ) -> None:
        self._session = session
        self._gateway = gateway
        self._org_code = org_code
        self._client_id = client_id
        self._check = check
        self._today = today
        self._figures = figures

    async def walk(self, catalogue: Catalogue, visits: Sequence[Visit]) -> AsyncIterator[Call]:
        """Every (industry, API) pair of `visits`, lists first, each as soon as it is done."""
        for visit in visits:
            answers: dict[str, list[Mapping[str, Any]]] = {}
            for api in catalogue.iter_apis(visit.industry):
                yield await self._call(api, visit, answers)

    async def ask(self, api: Api, visit: Visit) -> Call:
        """One call of an API that needs nothing but the institution's code."""
        return await self._call(api, visit, {})

    async def _call(self, api: Api, visit: Visit, answers: dict[str, list[Mapping[str, Any]]]) -> Call:
        call = Call(api.api_id, visit.industry, visit.org_code, api.method, api.path_for(visit.industry))
        fixed = {"org_code": visit.org_code, "client_id": self._client_id}
        try:
            asked = request_for(api, fixed, answers, self._today)
            await self._pages(api, visit, call, asked, answers.setdefault(api.api_id, []))
        except NothingLearnt as missing:
            call.why.append(str(missing))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            call.why.append(f"{type(error).__name__}: {error}")
        call.ok = not call.why
        return call

    async def _pages(
        self, api: Api, visit: Visit, call: Call, asked: dict[str, str], bodies: list[Mapping[str, Any]]
    ) -> None:
        cursors: set[str] = set()
        while True:
            page = await self._page(api, visit, asked)
            self._count(api, visit, page)
            call.status, call.ms = page.status, call.ms + page.ms
            call.rsp_code = str((page.body or {}).get("rsp_code", ""))
            call.why += self._faults(api, page)
            if page.body is None or call.why:
                return
            bodies.append(page.body)
            cursor = page.body.get("next_page")
            if cursor is None:
                return
            if cursor in cursors or len(cursors) == PAGES_MOST:
                call.why.append("next_page does not come to an end")
                return
            cursors.add(cursor)
            asked = next_page_of(asked, cursor)

    async def _page(self, api: Api, visit: Visit, asked: Mapping[str, str]) -> Page:
        params = dict(asked)
        path = api.path_for(visit.industry).replace("{card_id}", quote(params.pop("card_id", ""), safe=""))
        tran_id = f"{self._org_code}M{secrets.token_hex(7).upper()}"
        headers = {"x-api-tran-id": tran_id, "x-api-type": "user-refresh"}
        if api.scope:
            headers["Authorization"] = f"Bearer {visit.token}"
        sent: dict[str, Any] = {"params": params}
        if api.method == "POST":
            headers["Content-Type"] = "application/json; charset=UTF-8"
            sent = {"data": json.dumps(params, ensure_ascii=False).encode()}
        started = time.perf_counter()
        async with self._session.request(api.method, self._gateway + path, headers=headers, **sent) as answer:
            content = await answer.read()
        spent = (time.perf_counter() - started) * 1000
        return Page(answer.status, object_in(content), answer.headers.get("x-api-tran-id") == tran_id, spent)

    def _count(self, api: Api, visit: Visit, page: Page) -> None:
        if self._figures is not None:
            ok = (page.body or {}).get("rsp_code") in _GOOD
            self._figures.answered(visit.org_code, self._client_id, api.api_code, ok=ok, ms=page.ms)

    def _faults(self, api: Api, page: Page) -> list[str]:
        if page.body is None:
            return [f"HTTP {page.status} without a JSON object"]
        faults = []
        if page.status != 200 or page.body.get("rsp_code") != "00000":  # noqa: PLR2004 - the standard's success
            faults.append(f"HTTP {page.status} {page.body.get('rsp_code')} {page.body.get('rsp_msg')}")
        else:
            faults += self._check(api, page.body)
        if not page.echoed:
            faults.append("x-api-tran-id was not returned unchanged")
        return faults


def session_of(identity: Pair, ca: Path) -> aiohttp.ClientSession:
    """A session that shows `identity` and trusts `ca` alone."""
    context = ssl.create_default_context(cafile=str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(identity.certificate, identity.private_key)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        trust_env=False,
    )


def object_in(content: bytes) -> dict[str, Any] | None:
    """The JSON object of an answer; None when there is none."""
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
