"""Client of support APIs: operators and certifiers call the portal, the portal calls the relay (규격 7장)."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from mydata_sandbox.operator.client import Call, Check, parse_object
from relay.domain.api import Api, Catalogue

PORTALS: Final = "P"
OPERATORS: Final = "M"
CERTIFIERS: Final = "A"
"""Subject letters of x-api-tran-id (첨부14)."""

_JSON: Final = "application/json; charset=UTF-8"
_CONNECTION_ERRORS: Final = (aiohttp.ClientError, OSError, TimeoutError)
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A caller: org_code, subject letter, and client credentials for a token at `token_api` (지원-001, -101)."""

    org_code: str
    letter: str
    token_api: str
    client_id: str
    client_secret: str = field(repr=False)


class SupportCaller:
    """Calls the support APIs at `base_url`. `session` presents the caller's certificate.

    `check` validates responses against the catalogue. `access_token` is "" until one is obtained.
    A failed call is not raised: its `why` has the reasons.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        credentials: ClientCredentials,
        catalogue: Catalogue,
        check: Check,
    ) -> None:
        self._session = session
        self._base_url = base_url
        self._credentials = credentials
        self._catalogue = catalogue
        self._check = check
        self.access_token = ""

    async def obtain_token(self, about: str) -> Call:
        """Obtains an access token for later calls."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.client_secret,
            "scope": "manage",
        }
        call, body = await self._call(self._credentials.token_api, about, {"data": form}, {})
        self.access_token = str(body.get("access_token", "")) if call.ok else ""
        return call

    async def call(self, api_id: str, about: str, values: Body) -> tuple[Call, Body]:
        """Calls an API. Returns the call and the response body. `about` is the org_code that the call concerns."""
        if not self.access_token:
            await self.obtain_token(about)
        options = {"params": values} if self._catalogue.apis[api_id].method == "GET" else {"json": values}
        return await self._call(api_id, about, options, {"Authorization": f"Bearer {self.access_token}"})

    async def _call(
        self, api_id: str, about: str, options: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[Call, Body]:
        api = self._catalogue.apis[api_id]
        call = Call(api_id, "", about, api.method, api.path)
        tran_id = f"{self._credentials.org_code}{self._credentials.letter}{secrets.token_hex(7).upper()}"
        headers = {**headers, "x-api-tran-id": tran_id}
        if "json" in options:
            headers["Content-Type"] = _JSON
        started = time.perf_counter()
        response_body: Body = {}
        try:
            async with self._session.request(
                api.method, self._base_url + api.path, headers=headers, **options
            ) as answer:
                received = parse_object(await answer.read())
        except _CONNECTION_ERRORS as error:
            call.why = [f"{type(error).__name__}: {error}"]
            return call, response_body
        call.status, call.ms = answer.status, (time.perf_counter() - started) * 1000
        response_body = received or {}
        call.rsp_code = str(response_body.get("rsp_code", ""))
        call.why = self._find_problems(api, answer.status, received)
        if answer.headers.get("x-api-tran-id") != tran_id:
            call.why.append("x-api-tran-id was not returned unchanged")
        call.ok = not call.why
        return call, response_body

    def _find_problems(self, api: Api, status: int, body: Body | None) -> list[str]:
        if body is None:
            return [f"HTTP {status} without a JSON object"]
        if status != HTTPStatus.OK or body.get("rsp_code", "00000") != "00000":
            return [f"HTTP {status} {body.get('error') or body.get('rsp_code') or 'no error code'}"]
        return list(self._check(api, dict(body)))
