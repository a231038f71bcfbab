"""The simulated operator (마이데이터사업자): makes each call that its tokens allow once, through the relay."""

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

from mydata_sandbox.checks.conformance import find_remarks
from mydata_sandbox.credentials.authority import CertificateFiles
from mydata_sandbox.operator.figures import Figures
from mydata_sandbox.operator.request_values import MissingValue, build_next_page, build_request
from relay.domain.api import Api, Catalogue

MAX_PAGES: Final = 200
TIMEOUT_S: Final = 30
_SUCCESS_CODES: Final = frozenset({"00000", "00001"})
Check = Callable[[Api, dict[str, Any]], Sequence[str]]
"""Validates a response body against the catalogue and returns the violations."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token for an institution. `left_out` are api_codes that the institution does not offer."""

    org_code: str
    industry: str
    token: str = field(repr=False)
    left_out: tuple[str, ...] = ()


@dataclass(slots=True)
class Call:
    """A call of an API with all its pages. `path` has a placeholder for card_id: it identifies an asset.

    `why` says what failed, `remarks` what is accepted and should be otherwise.
    """

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
    remarks: list[str] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """Returns the call as JSON, without `why` and `remarks` when they are empty."""
        fields = asdict(self) | {"ms": round(self.ms, 2)}
        return {name: value for name, value in fields.items() if value != []}


@dataclass(frozen=True, slots=True)
class Page:
    """The response of one page."""

    status: int
    body: dict[str, Any] | None
    is_tran_id_echoed: bool
    ms: float


class SimulatedOperator:
    """Calls institutions through the relay at `gateway`. `session` presents the operator's certificate.

    It counts each page in `figures`, as the relay does.
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

    async def call_all(self, catalogue: Catalogue, tokens: Sequence[IssuedToken]) -> AsyncIterator[Call]:
        """Calls all APIs of the institutions of `tokens`, lists first. Yields each finished call."""
        for token in tokens:
            answers: dict[str, list[Mapping[str, Any]]] = {}
            for api in catalogue.iter_apis(token.industry):
                if api.api_code not in token.left_out:
                    yield await self._call(api, token, answers)

    async def call_once(self, api: Api, token: IssuedToken) -> Call:
        """Calls an API that needs no values except the institution's code."""
        return await self._call(api, token, {})

    async def _call(self, api: Api, token: IssuedToken, answers: dict[str, list[Mapping[str, Any]]]) -> Call:
        call = Call(api.api_id, token.industry, token.org_code, api.method, api.path_for(token.industry))
        if api.scope and not token.token:
            call.why.append("not called: no token")
            return call
        fixed = {"org_code": token.org_code, "client_id": self._client_id}
        try:
            params = build_request(api, fixed, answers, self._today)
            await self._get_all_pages(api, token, call, params, answers.setdefault(api.api_id, []))
        except MissingValue as missing:
            call.why.append(str(missing))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            call.why.append(f"{type(error).__name__}: {error}")
        call.ok = not call.why
        return call

    async def _get_all_pages(
        self, api: Api, token: IssuedToken, call: Call, params: dict[str, str], bodies: list[Mapping[str, Any]]
    ) -> None:
        cursors: set[str] = set()
        while True:
            page = await self._get_page(api, token, params)
            self._count(api, token, page)
            call.status, call.ms = page.status, call.ms + page.ms
            call.rsp_code = str((page.body or {}).get("rsp_code", ""))
            call.why += self._find_problems(api, page)
            if page.body is None or call.why:
                return
            call.remarks = call.remarks or find_remarks(page.body)
            bodies.append(page.body)
            cursor = page.body.get("next_page")
            if cursor is None:
                return
            if cursor in cursors or len(cursors) == MAX_PAGES:
                call.why.append("next_page does not end")
                return
            cursors.add(cursor)
            params = build_next_page(params, cursor)

    async def _get_page(self, api: Api, token: IssuedToken, params: Mapping[str, str]) -> Page:
        remaining = dict(params)
        path = api.path_for(token.industry).replace("{card_id}", quote(remaining.pop("card_id", ""), safe=""))
        tran_id = f"{self._org_code}M{secrets.token_hex(7).upper()}"
        headers = {"x-api-tran-id": tran_id, "x-api-type": "user-refresh"}
        if api.scope:
            headers["Authorization"] = f"Bearer {token.token}"
        options: dict[str, Any] = {"params": remaining}
        if api.method == "POST":
            headers["Content-Type"] = "application/json; charset=UTF-8"
            options = {"data": json.dumps(remaining, ensure_ascii=False).encode()}
        started = time.perf_counter()
        async with self._session.request(api.method, self._gateway + path, headers=headers, **options) as answer:
            content = await answer.read()
        duration_ms = (time.perf_counter() - started) * 1000
        return Page(answer.status, parse_object(content), answer.headers.get("x-api-tran-id") == tran_id, duration_ms)

    def _count(self, api: Api, token: IssuedToken, page: Page) -> None:
        if self._figures is not None:
            ok = (page.body or {}).get("rsp_code") in _SUCCESS_CODES
            self._figures.count_call(token.org_code, self._client_id, api.api_code, ok=ok, ms=page.ms)

    def _find_problems(self, api: Api, page: Page) -> list[str]:
        if page.body is None:
            return [f"HTTP {page.status} without a JSON object"]
        problems = []
        if page.status != 200 or page.body.get("rsp_code") != "00000":  # noqa: PLR2004 - the standard's success
            problems.append(f"HTTP {page.status} {page.body.get('rsp_code')} {page.body.get('rsp_msg')}")
        else:
            problems += self._check(api, page.body)
        if not page.is_tran_id_echoed:
            problems.append("x-api-tran-id was not returned unchanged")
        return problems


def open_session(identity: CertificateFiles, ca: Path) -> aiohttp.ClientSession:
    """Returns a session that presents `identity` and trusts only `ca`."""
    context = ssl.create_default_context(cafile=str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(identity.certificate, identity.private_key)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        trust_env=False,
    )


def parse_object(content: bytes) -> dict[str, Any] | None:
    """Returns the JSON object of a response, None without one."""
    try:
        body = json.loads(content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
