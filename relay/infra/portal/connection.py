"""One attempt at the portal over mutual TLS: sent once, read up to a limit, no redirect, no cookie, no proxy."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from relay.infra.diagnostics.causes import cause_of
from relay.infra.dns.connector import tcp_connector
from relay.infra.user_agent import HEADERS
from relay.policy.settings.portal import PortalSettings

ERROR_MOST: Final = 65_536
"""So many bytes of an answer that is no success are read; it has a code and a sentence."""
_BUFFER: Final = 65_536
_OK: Final = 200


class _BrokenOff(Exception):
    """The connection ended before the answer began."""


_LOST: Final[tuple[tuple[type[Exception], str], ...]] = (
    (TimeoutError, "no answer in time"),
    (aiohttp.ClientConnectorCertificateError, "the portal's certificate is not trusted"),
    (aiohttp.ClientSSLError, "TLS failed"),
    (aiohttp.ClientConnectorError, "no connection"),
    (aiohttp.ClientResponseError, "the answer is no HTTP"),
    (Exception, "the connection broke off"),
)
"""What is told of each error, the first that fits."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One API call, as it is asked for in each attempt: `target` is path and query, one of `form`, `json` the body."""

    api_id: str
    method: str
    target: str
    form: Mapping[str, str] | None = field(default=None, repr=False)
    json: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came: `words` say what went wrong on the way, "" when the answer is whole. Status 0: none began.

    `content` is empty when there is anything wrong. `tran_ids` are all values of x-api-tran-id.
    """

    words: str
    status: int = 0
    tran_ids: tuple[str, ...] = ()
    content_type: str = ""
    content: bytes = field(default=b"", repr=False)
    again: bool = True
    """Whether it may go better another time."""
    cause: str = ""
    """Why no answer began (`diagnostics.causes`), "" when one did."""


class Line:
    """The way to the portal; `context` None is a leased line (http://). Each attempt has its own connection.

    A connection that was used before may be hung up just as it is used again; at a few calls an hour it is not worth
    that doubt. `context` may be replaced: the next attempt goes by the new one.
    """

    def __init__(self, settings: PortalSettings, context: ssl.SSLContext | None) -> None:
        self.context = context
        self._settings = settings
        self._opened: aiohttp.ClientSession | None = None

    async def ask(self, wanted: Wanted, headers: Mapping[str, str]) -> Heard:
        """Send one request and hear the answer. Raises nothing that the network or the portal causes."""
        try:
            async with self._session().request(
                wanted.method,
                self._settings.base_url + wanted.target,
                headers={"Accept": "application/json", "Accept-Encoding": "identity", **_typed(wanted), **headers},
                data=wanted.json if wanted.form is None else wanted.form,
                allow_redirects=False,
                ssl=self.context if self.context is not None else True,
            ) as answer:
                return await self._heard(answer)
        except (_BrokenOff, aiohttp.ClientError, OSError) as error:
            words = next(words for kind, words in _LOST if isinstance(error, kind))
            return Heard(words, cause="reset" if isinstance(error, _BrokenOff) else cause_of(error))

    async def close(self) -> None:
        """Give back what is open."""
        if self._opened is not None:
            await self._opened.close()

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            timeouts = self._settings.timeouts
            self._opened = aiohttp.ClientSession(
                connector=tcp_connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=timeouts.total_s, connect=timeouts.connect_s),
                auto_decompress=False,
                trust_env=False,
                headers=HEADERS,
                middlewares=(_once,),
                read_bufsize=_BUFFER,
            )
        return self._opened

    async def _heard(self, answer: aiohttp.ClientResponse) -> Heard:
        status = answer.status
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            return Heard("the answer is packed, which nobody asked for", status)
        most = self._settings.answer_bytes if status == _OK else ERROR_MOST
        content = bytearray()
        try:
            async for chunk in answer.content.iter_any():
                content += chunk
                if len(content) > most:
                    return Heard(f"the answer is longer than {most} bytes", status, again=status != _OK)
        except TimeoutError:
            return Heard("the answer did not end in time", status)
        except (aiohttp.ClientError, OSError):
            return Heard("the connection broke off within the answer", status)
        tran_ids = tuple(answer.headers.getall("x-api-tran-id", ()))
        return Heard("", status, tran_ids, answer.content_type, bytes(content))


def _typed(wanted: Wanted) -> Mapping[str, str]:
    return {} if wanted.json is None else {"Content-Type": "application/json; charset=UTF-8"}


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Nothing is sent twice in silence: aiohttp repeats a GET when the connection breaks off with one of its errors."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, TimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise _BrokenOff from None
