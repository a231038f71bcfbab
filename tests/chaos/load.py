"""Callers with a constant rate (open loop): a call is due at a fixed time, independent of former calls."""

import asyncio
import contextlib
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fixtures.caller import Connection
from hostile.figures import percentile

CALL_S = 15.0
"""A call without a response by then has failed."""

FAILURES = (OSError, asyncio.IncompleteReadError, TimeoutError, AssertionError)


@dataclass
class Call:
    """One call as its caller saw it. `status` is 0 without a response; `was_sent` whether the relay may have it."""

    phase: str
    operator: str
    provider: str
    tran_id: str
    due: float
    api_type: str = "user-refresh"
    ended: float = 0.0
    status: int = 0
    rsp_code: str = ""
    error: str = ""
    was_sent: bool = False
    retry_after: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the caller got a response of success."""
        return self.status == 200 and self.rsp_code == "00000"

    @property
    def ms(self) -> float:
        """From the time it was due to the end of the response."""
        return (self.ended - self.due) * 1000


@dataclass
class Stream:
    """Calls of one operator at one institution. `build(call)` is the request, `connect()` opens a connection.

    At least `spread` connections are used in turn: several workers accept them.
    """

    build: Callable[[Call], bytes]
    connect: Callable[[], Any]
    connections: int = 48
    spread: int = 1
    idle: list[Connection] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.permits = asyncio.Semaphore(self.connections)

    async def send(self, call: Call) -> None:
        """Makes one call and notes its outcome. Never raises."""
        try:
            async with asyncio.timeout(CALL_S), self.permits:
                await self._send(call)
        except FAILURES as error:
            call.error = f"{type(error).__name__}: {error}"[:200]
        call.ended = time.monotonic()

    async def _send(self, call: Call) -> None:
        connection = await self._take()
        try:
            call.was_sent = True
            answer = await connection.call(self.build(call))
        except BaseException:
            connection.abort()
            raise
        headers = dict(answer.fields)
        call.status, call.retry_after = answer.status, headers.get("retry-after", "")
        with contextlib.suppress(ValueError):
            call.rsp_code = get_code(json.loads(answer.body))
        if headers.get("connection") == "close":
            connection.abort()
        else:
            self.idle.append(connection)

    async def _take(self) -> Connection:
        while len(self.idle) >= self.spread:
            connection = self.idle.pop(0)
            if not connection.reader.at_eof() and not connection.writer.is_closing():
                return connection
            connection.abort()
        return await self.connect()

    def close(self) -> None:
        """Closes idle connections."""
        for connection in self.idle:
            connection.abort()
        self.idle.clear()


def get_code(body: dict[str, Any]) -> str:
    """Returns the rsp_code of a response; of OAuth the error, and 00000 for a token."""
    return "00000" if "access_token" in body else body.get("rsp_code") or body.get("error", "")


async def run_stream(stream: Stream, rate: float, make_call: Callable[[float], Call]) -> None:
    """Sends calls at a constant rate until cancelled, then waits for those under way and closes."""
    tasks: set[asyncio.Task[None]] = set()
    started = time.monotonic()
    try:
        for number in itertools.count():
            due = started + number / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(stream.send(make_call(due)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    finally:
        if tasks:
            await asyncio.wait(set(tasks))
        stream.close()


def get_percentile(calls: Sequence[Call], share: float) -> float:
    """Returns a percentile of the time of calls in ms, 0 of none."""
    return round(percentile([call.ms for call in calls], share), 1) if calls else 0.0


def get_share(calls: Iterable[Call]) -> float:
    """Returns the share of calls that succeeded, 1 of none."""
    results = [call.is_success for call in calls]
    return sum(results) / len(results) if results else 1.0


def count_codes(calls: Iterable[Call]) -> dict[str, int]:
    """Returns the number of calls by HTTP status and rsp_code; `no response` for those without."""
    return dict(Counter(f"{call.status} {call.rsp_code}".strip() if call.status else "no response" for call in calls))


def summarize(calls: Sequence[Call]) -> dict[str, Any]:
    """Returns the figures of some calls."""
    served = f"{100 * get_share(calls):.1f} %"
    return {"calls": len(calls), "served": served, "p50_ms": get_percentile(calls, 0.5),
            "p99_ms": get_percentile(calls, 0.99), "codes": count_codes(calls)}  # fmt: skip
