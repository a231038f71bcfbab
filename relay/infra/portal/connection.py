"""Sends one request to the portal over mutual TLS: no retry, no redirect, no cookie, no proxy, a bounded body."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from relay.infra.diagnostics.causes import classify_error
from relay.infra.dns.connector import create_tcp_connector
from relay.infra.user_agent import HEADERS
from relay.policy.settings.portal import PortalSettings

MAX_ERROR_BYTES: Final = 65_536
"""Maximum bytes of an error response, which has a code and a message."""
_BUFFER: Final = 65_536
_OK: Final = 200


class _ConnectionLost(Exception):
    """The connection ended before the response began."""


_PROBLEMS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (TimeoutError, "no answer in time"),
    (aiohttp.ClientConnectorCertificateError, "the portal's certificate is not trusted"),
    (aiohttp.ClientSSLError, "TLS failed"),
    (aiohttp.ClientConnectorError, "no connection"),
    (aiohttp.ClientResponseError, "the answer is not HTTP"),
    (Exception, "the connection was lost"),
)
"""Text for each exception; the first match counts."""


@dataclass(frozen=True, slots=True)
class PortalRequest:
    """One API call. `target` is path and query; the body is `form` or `json`."""

    api_id: str
    method: str
    target: str
    form: Mapping[str, str] | None = field(default=None, repr=False)
    json: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RawResponse:
    """What was received. `problem` describes a transport error, "" for a complete response.

    `status` is 0 if no response began. `content` is empty on a problem. `tran_ids` are all values of x-api-tran-id.
    """

    problem: str
    status: int = 0
    tran_ids: tuple[str, ...] = ()
    content_type: str = ""
    content: bytes = field(default=b"", repr=False)
    is_retryable: bool = True
    """Whether another attempt may succeed."""
    cause: str = ""
    """Why no response began (`diagnostics.causes`), "" if one did."""


class PortalConnection:
    """Connects to the portal. `context` is None for a leased line (http://).

    Each attempt has its own connection: the portal may close a reused one at any time, and there are only a few calls
    an hour.
    """

    def __init__(self, settings: PortalSettings, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: PortalRequest, headers: Mapping[str, str]) -> RawResponse:
        """Sends one request and returns its response. Raises nothing that the network or the portal causes."""
        try:
            async with self._get_session().request(
                request.method,
                self._settings.base_url + request.target,
                headers={
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                    **_content_type(request),
                    **headers,
                },
                data=request.json if request.form is None else request.form,
                allow_redirects=False,
                ssl=self._context if self._context is not None else True,
            ) as response:
                return await self._read(response)
        except (_ConnectionLost, aiohttp.ClientError, OSError) as error:
            problem = next(text for kind, text in _PROBLEMS if isinstance(error, kind))
            return RawResponse(problem, cause="reset" if isinstance(error, _ConnectionLost) else classify_error(error))

    async def close(self) -> None:
        """Closes open connections."""
        if self._session is not None:
            await self._session.close()

    def _get_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeouts = self._settings.timeouts
            self._session = aiohttp.ClientSession(
                connector=create_tcp_connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=timeouts.total_s, connect=timeouts.connect_s),
                auto_decompress=False,
                trust_env=False,
                headers=HEADERS,
                middlewares=(_send_once,),
                read_bufsize=_BUFFER,
            )
        return self._session

    async def _read(self, response: aiohttp.ClientResponse) -> RawResponse:
        status = response.status
        if response.headers.get("Content-Encoding", "identity") != "identity":
            return RawResponse("the answer is compressed, which was not requested", status)
        max_bytes = self._settings.answer_bytes if status == _OK else MAX_ERROR_BYTES
        content = bytearray()
        try:
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > max_bytes:
                    return RawResponse(
                        f"the answer is longer than {max_bytes} bytes", status, is_retryable=status != _OK
                    )
        except TimeoutError:
            return RawResponse("the answer did not end in time", status)
        except (aiohttp.ClientError, OSError):
            return RawResponse("the connection was lost within the answer", status)
        tran_ids = tuple(response.headers.getall("x-api-tran-id", ()))
        return RawResponse("", status, tran_ids, response.content_type, bytes(content))


def _content_type(request: PortalRequest) -> Mapping[str, str]:
    return {} if request.json is None else {"Content-Type": "application/json; charset=UTF-8"}


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Prevents aiohttp from repeating a GET by itself when the connection is lost."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, TimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise _ConnectionLost from None
