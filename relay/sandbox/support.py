"""Support APIs as their callers ask: operators and certifiers at the portal, the portal at the relay (규격 7장)."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from relay.domain.api import Api, Catalogue
from relay.sandbox.operator import Call, Check, object_in

PORTALS: Final = "P"
OPERATORS: Final = "M"
CERTIFIERS: Final = "A"
"""Subject letters of x-api-tran-id (첨부14)."""

_JSON: Final = "application/json; charset=UTF-8"
_BROKEN: Final = (aiohttp.ClientError, OSError, TimeoutError)
Told = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """Who calls: org_code, the letter of its subject, and what it shows for a token at `token_api` (지원-001, -101)."""

    org_code: str
    letter: str
    token_api: str
    client_id: str
    client_secret: str = field(repr=False)


class SupportCaller:
    """Calls the support APIs at `base_url`; `session` brings the caller's certificate.

    `check` holds answers against the catalogue. A call that goes wrong says why; nothing is raised for it.
    """

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, shown: Shown, catalogue: Catalogue, check: Check
    ) -> None:
        self._session = session
        self._base_url = base_url
        self._shown = shown
        self._catalogue = catalogue
        self._check = check
        self._token = ""

    async def token(self, about: str) -> Call:
        """A new access token, with which everything is asked from then on."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self._shown.client_id,
            "client_secret": self._shown.client_secret,
            "scope": "manage",
        }
        call, told = await self._called(self._shown.token_api, about, {"data": form}, {})
        self._token = str(told.get("access_token", "")) if call.ok else ""
        return call

    async def ask(self, api_id: str, about: str, values: Told) -> tuple[Call, Told]:
        """One call and what it was told; `about` is the org_code it is about, `values` go in query or JSON body."""
        if not self._token:
            await self.token(about)
        sent = {"params": values} if self._catalogue.apis[api_id].method == "GET" else {"json": values}
        return await self._called(api_id, about, sent, {"Authorization": f"Bearer {self._token}"})

    async def _called(
        self, api_id: str, about: str, sent: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[Call, Told]:
        api = self._catalogue.apis[api_id]
        call = Call(api_id, "", about, api.method, api.path)
        tran_id = f"{self._shown.org_code}{self._shown.letter}{secrets.token_hex(7).upper()}"
        headers = {**headers, "x-api-tran-id": tran_id}
        if "json" in sent:
            headers["Content-Type"] = _JSON
        started = time.perf_counter()
        told: Told = {}
        try:
            async with self._session.request(api.method, self._base_url + api.path, headers=headers, **sent) as answer:
                found = object_in(await answer.read())
        except _BROKEN as broken:
            call.why = [f"{type(broken).__name__}: {broken}"]
            return call, told
        call.status, call.ms = answer.status, (time.perf_counter() - started) * 1000
        told = found or {}
        call.rsp_code = str(told.get("rsp_code", ""))
        call.why = self._wrong(api, answer.status, found)
        if answer.headers.get("x-api-tran-id") != tran_id:
            call.why.append("x-api-tran-id was not returned unchanged")
        call.ok = not call.why
        return call, told

    def _wrong(self, api: Api, status: int, found: Told | None) -> list[str]:
        if found is None:
            return [f"HTTP {status} without a JSON object"]
        if status != HTTPStatus.OK or found.get("rsp_code", "00000") != "00000":
            return [f"HTTP {status} {found.get('error') or found.get('rsp_code') or 'without a word'}"]
        return list(self._check(api, dict(found)))
