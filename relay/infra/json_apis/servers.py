"""The HTTP servers of one institution's core: sends requests and reads responses within bounds of time and memory."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from relay.domain.fault import FAULTS, Fault, Refusal
from relay.infra.diagnostics.outages import OutageLog
from relay.infra.telegrams.unique_numbers import UniqueNumbers
from relay.infra.upstream.dialing import Dialer
from relay.infra.upstream.pool import ConnectionPool
from relay.infra.user_agent import USER_AGENT
from relay.policy.mediation.json_api.requests import JsonRequest, JsonResponse
from relay.policy.settings.scalars import ProviderTimeouts
from relay.wire.deadline_watch import DeadlineWatch

UNIQUE_DIGITS: Final = 12
"""Digits of `$unique_number`."""

_HEADERS: Final = (("User-Agent", USER_AGENT), ("Accept", "application/json"), ("Accept-Encoding", "identity"))
"""Headers that the files of an institution may replace, except Accept-Encoding."""

_TICK_S: Final = 0.1
_SWEEP_S: Final = 1.0

RequestBuilder = Callable[[str], JsonRequest]
"""Returns the request for a unique number. Raises ConversionError."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Requests at once, waiting ones, and the bytes of a response."""

    concurrency: int
    queue: int
    max_bytes: int


class JsonServers:
    """The servers of one institution. `start` must be called on the event loop; `exchange` uses them.

    `context` is None on a leased line. Requests run over the pool that gateways use: its limits, deadlines, breaker and
    addresses. Redirects are not followed, cookies are not kept, and no proxy is used.
    """

    def __init__(
        self,
        org_code: str,
        base_urls: tuple[str, ...],
        context: ssl.SSLContext | None,
        timeouts: ProviderTimeouts,
        limits: ServerLimits,
        now: float,
    ) -> None:
        self._base_urls = base_urls
        self._addresses = [(urlsplit(url).path, urlsplit(url).netloc) for url in base_urls]
        self._context = context
        self._timeouts = timeouts
        self._limits = limits
        self._numbers = UniqueNumbers(UNIQUE_DIGITS, now)
        self._outage = OutageLog(f"core: org_code={org_code}")
        self._watch = DeadlineWatch()
        self._pool: ConnectionPool | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._retired_at: float | None = None

    @property
    def open_lines(self) -> int:
        """The number of connections that are open."""
        return 0 if self._pool is None else len(self._pool.connections)

    def start(self) -> None:
        """Builds the pool on the running loop. Connections are opened by the first requests."""
        loop = asyncio.get_running_loop()
        dialer = Dialer(self._base_urls, self._context, self._timeouts, loop)
        self._pool = ConnectionPool(dialer, self._limits.concurrency, self._limits.queue, self._watch, loop)
        self._pool.requires_tran_id = False  # the core does not know it
        self._ticking = loop.create_task(self._tick(self._pool))

    async def exchange(self, build: RequestBuilder, deadline: float) -> JsonResponse:
        """Sends a request and returns its response. `deadline` is loop time.

        Raises Refusal (50005, 50003), and ConversionError when `build` raises it.
        """
        pool = self._pool
        assert pool is not None  # noqa: S101 - it is started before it is used
        request = build(self._numbers.take())
        response: asyncio.Future[JsonResponse] = asyncio.get_running_loop().create_future()
        sent = pool.send(lambda instance: self._write(request, instance), _Receiver(response, self._limits.max_bytes))
        try:
            async with asyncio.timeout_at(deadline):
                received = await response
        except TimeoutError:
            sent.fail(FAULTS["provider_silent"], "total")
            self._outage.record_failure("provider_silent")
            raise Refusal(FAULTS["provider_silent"]) from None
        except Refusal as refusal:
            self._outage.record_failure(refusal.fault.name)
            raise
        finally:
            sent.cancel()
        self._outage.record_success()
        return received

    def _write(self, request: JsonRequest, instance: int) -> bytes:
        """Returns the HTTP request for one server."""
        path, host = self._addresses[instance]
        named = {name.lower() for name, _ in request.headers}
        headers = [header for header in _HEADERS if header[0].lower() not in named] + list(request.headers)
        lines = [f"{request.method} {path}{request.target} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if request.method != "GET":
            lines.append(f"Content-Length: {len(request.body)}")
        return "\r\n".join([*lines, "", ""]).encode("ascii") + request.body

    def retire(self) -> None:
        """Keeps no connection any more. Calls that have begun are completed."""
        self._retired_at = asyncio.get_running_loop().time()
        if self._pool is not None:
            self._pool.retire()

    async def close(self) -> None:
        """Closes all connections."""
        self.retire()
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        for connection in list(self._pool.connections) if self._pool is not None else ():
            connection.close()

    async def _tick(self, pool: ConnectionPool) -> None:
        """Checks deadlines and closes idle connections; a replaced pool ends when its calls have ended."""
        loop = asyncio.get_running_loop()
        swept_at = loop.time()
        while self._retired_at is None or loop.time() < self._retired_at + 2 * self._timeouts.total_s:
            await asyncio.sleep(_TICK_S)
            now = loop.time()
            self._watch.tick(now)
            if now - swept_at >= _SWEEP_S:
                swept_at = now
                pool.close_expired(now)


class _Receiver:
    """Receives one response into a future: at most `max_bytes` of its body."""

    def __init__(self, response: asyncio.Future[JsonResponse], max_bytes: int) -> None:
        self._response = response
        self._max_bytes = max_bytes
        self._status = 0
        self._headers: Mapping[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._size = 0

    def response_received(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Takes a whole response. Returns True: any response of HTTP leaves the connection usable."""
        self._status, self._headers = status, headers
        self._add(body)
        self._finish()
        return True

    def head_received(self, status: int, headers: Mapping[bytes, bytes], length: int | None, body: bytes) -> None:
        """Takes the head of a large response and the beginning of its body."""
        self._status, self._headers = status, headers
        self._size = length if length is not None and length > self._max_bytes else 0
        self._add(body)

    def body_received(self, body: bytes) -> None:
        """Takes the next part of the body."""
        self._add(body)

    def response_ended(self) -> None:
        """Takes the end."""
        self._finish()

    def request_failed(self, fault: Fault, detail: str) -> None:
        """Takes the failure."""
        if not self._response.done():
            self._response.set_exception(Refusal(fault, detail))

    def _add(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= self._max_bytes:
            self._parts.append(body)
        else:
            self._parts = []
            self._finish()

    def _finish(self) -> None:
        if self._response.done():
            return
        headers = self._headers
        self._response.set_result(
            JsonResponse(
                self._status,
                b"".join(self._parts),
                headers.get(b"content-type", b"").decode("latin-1"),
                headers.get(b"content-encoding", b"").decode("latin-1"),
                is_too_long=self._size > self._max_bytes,
            )
        )
