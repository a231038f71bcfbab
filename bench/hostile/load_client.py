"""A load of constant rate (open loop): every call is due at a fixed time, independent of former calls."""

import asyncio
import itertools
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from hostile.figures import Call, due_at
from hostile.world import GOOD_BANK, LOOPBACK, Caller, World, client_context

CALL_S: Final = 10.0
"""A call without a response by then has failed."""

CONNECTIONS: Final = 48
"""Most connections of one operator; calls beyond wait, and their latency grows."""

DATA, REFRESH, PAGES, ADMIN = "data", "refresh", "pages", "admin"


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection with one call at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[bytes] | None = None
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Stores the transport."""
        self._transport = transport  # type: ignore[assignment]
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Completes the call when the response is complete."""
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if separator and len(body) >= content_length(head) and self._answer is not None:
            self._buffer, answer = b"", self._buffer
            if not self._answer.done():
                self._answer.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        """Fails the current call."""
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError(str(error or "closed")))

    async def call(self, request: bytes) -> bytes:
        """Sends a request and returns its whole response. Raises ConnectionError."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.abort()


def content_length(head: bytes) -> int:
    """Returns the Content-Length of a head, 0 without one."""
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return 0


def error_of(answer: bytes, tran_id: str, good: bytes) -> str:
    """Returns why a response is wrong; empty when it is right."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head[9:12]
    if status != b"200":
        return f"status {status.decode()}: {body[:120].decode(errors='replace')}"
    if tran_id.encode() not in head:
        return "x-api-tran-id of another call"
    return "" if good in body else f"no {good.decode()} in the body"


@dataclass(slots=True)
class Pool:
    """Connections of one caller, kept open between calls."""

    caller: Caller
    context: ssl.SSLContext
    port: int
    idle: list[Connection] = field(default_factory=list)
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTIONS))

    async def call(self, request: bytes) -> bytes:
        """Makes one call on an idle or a new connection."""
        async with self.slots:
            connection = await self._take()
            try:
                answer = await connection.call(request)
            except BaseException:
                connection.close()
                raise
            if connection.is_open:
                self.idle.append(connection)
            return answer

    async def _take(self) -> Connection:
        while self.idle:
            if (connection := self.idle.pop()).is_open:
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, LOOPBACK, self.port, ssl=self.context)
        return connection


def data_request(caller: Caller, org_code: str, tran_id: str) -> bytes:
    """Returns a request of 은행-001 to one institution."""
    return (
        f"GET /v1/bank/accounts?org_code={org_code}&search_timestamp=0&limit=10 HTTP/1.1\r\nHost: relay\r\n"
        f"Authorization: Bearer {caller.tokens[org_code]}\r\nx-api-tran-id: {tran_id}\r\n"
        "x-api-type: user-refresh\r\n\r\n"
    ).encode()


def form_request(form: dict[str, str], tran_id: str) -> bytes:
    """Returns a request to the token endpoint."""
    body = urlencode(form)
    return (
        f"POST /oauth/2.0/token HTTP/1.1\r\nHost: relay\r\nx-api-tran-id: {tran_id}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def new_tran_id(org_code: str) -> str:
    """Returns a 거래고유번호 of an operator."""
    return f"{org_code}M{secrets.token_hex(7).upper()}"


class Load:
    """All good calls of one measurement, recorded in `calls`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pools = [Pool(operator, operator.context(world.ca), world.gateway) for operator in world.operators]
        self._turns = itertools.count()
        self._page = client_context(world.ca)
        self.calls: list[Call] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, kind: str, rate: float, stop: asyncio.Event) -> None:
        """Sends calls of one kind at a constant rate until `stop` is set."""
        sender = {DATA: self._data, REFRESH: self._refresh, PAGES: self._pages, ADMIN: self._admin}[kind]
        start = time.monotonic()
        for number in itertools.count():
            due = due_at(start, number, rate)
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            if stop.is_set():
                return
            task = asyncio.create_task(self._send(kind, due, sender))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Waits for running calls and closes all connections."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        for pool in self._pools:
            for connection in pool.idle:
                connection.close()

    async def _send(self, kind: str, due: float, sender: Callable[[str], Awaitable[str]]) -> None:
        pool = self._pools[-1 if kind == REFRESH else next(self._turns) % len(self._pools)]
        tran_id = new_tran_id(pool.caller.org_code)
        try:
            async with asyncio.timeout(CALL_S):
                error = await sender(tran_id)
        except (OSError, TimeoutError) as problem:
            error = f"{type(problem).__name__}: {problem}"
        self.calls.append(Call(kind, due, time.monotonic(), tran_id, error))

    def _pool_of(self, tran_id: str) -> Pool:
        return next(pool for pool in self._pools if tran_id.startswith(pool.caller.org_code))

    async def _data(self, tran_id: str) -> str:
        pool = self._pool_of(tran_id)
        answer = await pool.call(data_request(pool.caller, GOOD_BANK, tran_id))
        return error_of(answer, tran_id, b'"00000"')

    async def _refresh(self, tran_id: str) -> str:
        pool = self._pool_of(tran_id)
        forms = pool.caller.refreshes
        answer = await pool.call(form_request(forms[next(self._turns) % len(forms)], tran_id))
        return error_of(answer, tran_id, b'"access_token"')

    async def _pages(self, _: str) -> str:
        return await self._fetch(self._world.pages, "/", self._page)

    async def _admin(self, _: str) -> str:
        return await self._fetch(self._world.admin, "/healthz", None)

    async def _fetch(self, port: int, path: str, context: ssl.SSLContext | None) -> str:
        """Any response on a new connection is right."""
        reader, writer = await asyncio.open_connection(LOOPBACK, port, ssl=context)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n".encode())
            line = await reader.readline()
        finally:
            writer.transport.abort()
        return "" if line.startswith(b"HTTP/1.1 ") else "no answer"
