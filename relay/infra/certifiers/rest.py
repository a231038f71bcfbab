"""Calls to an e-signature provider's API: one POST each, no redirect, no retry, a small JSON object back."""

import base64
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from relay.domain.authorization.signed_consent import Defect, NotVerified
from relay.domain.strict_json import read_object

MAX_RESPONSE_BYTES: Final = 65_536
_CHUNK: Final = 8192


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """Status and JSON object of a response."""

    status: int
    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiClient:
    """Posts to the API of one certifier. `context` is None for a leased line (http://). `relay` is our org_code.

    `random` returns random bytes for the free part of `x-api-tran-id` (첨부14).
    """

    session: aiohttp.ClientSession = field(repr=False)
    base_url: str
    context: ssl.SSLContext | None
    timeout_s: float
    relay: str
    random: Callable[[int], bytes]

    async def post(
        self,
        path: str,
        headers: Mapping[str, str],
        *,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, str] | None = None,
    ) -> ApiResponse:
        """Posts a form or JSON to a path below the base URL. Raises NotVerified: CERTIFIER_SILENT, CERTIFIER_BROKEN."""
        sent_headers = {**headers, "x-api-tran-id": self._new_tran_id(), "Accept-Encoding": "identity"}
        timeout = aiohttp.ClientTimeout(total=self.timeout_s)
        try:
            async with self.session.post(
                self.base_url + path,
                headers=sent_headers,
                allow_redirects=False,
                timeout=timeout,
                ssl=self.context if self.context is not None else True,
                data=form,
                json=json,
            ) as response:
                tran_id = sent_headers["x-api-tran-id"]
                if response.headers.get("x-api-tran-id", tran_id) != tran_id:
                    raise ValueError("another call's")  # noqa: TRY301 - one handler for all invalid responses
                return ApiResponse(response.status, read_object(await _read_body(response)))
        except (aiohttp.ClientPayloadError, aiohttp.ClientResponseError, ValueError):
            raise NotVerified(Defect.CERTIFIER_BROKEN, path) from None
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise NotVerified(Defect.CERTIFIER_SILENT, path) from error

    def _new_tran_id(self) -> str:
        return f"{self.relay}R{base64.b32encode(self.random(9)).decode()[:14]}"


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    """Returns the body as received. Raises ValueError if it is compressed or too long."""
    if "Content-Encoding" in response.headers:
        raise ValueError("compressed")
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        content += chunk
        if len(content) > MAX_RESPONSE_BYTES:
            raise ValueError("too long")
    return bytes(content)
