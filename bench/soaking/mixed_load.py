"""Calls of two operators to the changing bank: small and large bodies, streamed ones, callers that hang up."""

import asyncio
import json
import random
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from hostile.load_client import new_tran_id
from hostile.world import HOSTILE_BANK, LOOPBACK, Caller, World

from soaking.institution import Answer

CALL_S: Final = 30.0
KEPT_CALLS: Final = 50
"""Calls of one connection; then the caller opens another."""

BODY_BYTES: Final = 60_000
SCHEDULED: Final = 0.3
"""Share of scheduled transfers."""

KINDS: Final = ("get", "post", "post large", "post slow", "hang up in request", "hang up in response")
_KIND_WEIGHTS: Final = (10, 6, 2, 1, 1, 2)
_ANSWER_WEIGHTS: Final = {
    Answer.SMALL: 40,
    Answer.LARGE: 3,
    Answer.STREAMED: 6,
    Answer.TRICKLED: 1,
    Answer.SILENT: 1,
    Answer.CUT: 1,
}


def build_request(caller: Caller, kind: str, answer: Answer, *, is_scheduled: bool) -> tuple[bytes, bytes]:
    """Returns head and body of one call of 은행-001 or 은행-004."""
    fields = (
        f"Host: relay\r\nAuthorization: Bearer {caller.tokens[HOSTILE_BANK]}\r\n"
        f"x-api-tran-id: {new_tran_id(caller.org_code)}\r\n"
        f"x-api-type: {'scheduled' if is_scheduled else 'user-search'}\r\n"
    )
    if kind in {"get", "hang up in response"}:
        target = f"/v1/bank/accounts?org_code={HOSTILE_BANK}&search_timestamp=0&limit={answer.value}"
        return f"GET {target} HTTP/1.1\r\n{fields}\r\n".encode(), b""
    day = f"{datetime.now(UTC) - timedelta(days=2):%Y%m%d}"
    values = {"org_code": HOSTILE_BANK, "account_num": "1111", "from_date": day, "to_date": day}
    body = json.dumps(values | {"limit": str(answer.value)}).encode()
    if kind == "post large":
        body += b" " * (BODY_BYTES - len(body))
    line = "POST /v1/bank/accounts/deposit/transactions HTTP/1.1\r\n"
    length = f"Content-Type: application/json; charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"{line}{fields}{length}".encode(), body


class HungUp(Exception):
    """The caller closed its connection on purpose."""


class MixedLoad:
    """Calls on several connections with pauses; `outcomes` counts statuses by kind, and ends without an answer."""

    def __init__(self, world: World, seed: int = 1) -> None:
        self._world = world
        self._random = random.Random(seed)
        self.outcomes: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event, connections: int, pause_s: float) -> None:
        """Calls until `stop` is set; each connection waits about `pause_s` between two calls."""
        callers = [self._world.operators[index % 2] for index in range(connections)]
        await asyncio.gather(*(self._call_repeatedly(caller, stop, pause_s) for caller in callers))

    async def _call_repeatedly(self, caller: Caller, stop: asyncio.Event, pause_s: float) -> None:
        context = caller.context(self._world.ca)
        while not stop.is_set():
            try:
                reader, writer = await asyncio.open_connection(LOOPBACK, self._world.gateway, ssl=context)
            except OSError as error:
                self.outcomes[f"connect {type(error).__name__}"] += 1
                await asyncio.sleep(1)
                continue
            try:
                for _ in range(KEPT_CALLS):
                    await asyncio.sleep(pause_s * self._random.uniform(0.5, 1.5))
                    if stop.is_set() or not await self._call(caller, reader, writer):
                        break
            finally:
                writer.transport.abort()

    async def _call(self, caller: Caller, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Makes one call. Returns whether the connection is still of use."""
        (kind,) = self._random.choices(KINDS, _KIND_WEIGHTS)
        (answer,) = self._random.choices(list(_ANSWER_WEIGHTS), list(_ANSWER_WEIGHTS.values()))
        head, body = build_request(caller, kind, answer, is_scheduled=self._random.random() < SCHEDULED)
        try:
            async with asyncio.timeout(CALL_S):
                await self._send(writer, kind, head, body)
                status, is_kept = await self._read(reader, kind)
        except HungUp:
            self.outcomes[kind] += 1
            return False
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.outcomes[f"{kind} {type(error).__name__} {answer.name}"] += 1
            return False
        self.outcomes[f"{kind} {status}"] += 1
        return is_kept

    async def _send(self, writer: asyncio.StreamWriter, kind: str, head: bytes, body: bytes) -> None:
        if kind == "hang up in request":
            writer.write(head + body[:20])
            await asyncio.sleep(0.02)
            raise HungUp
        if kind == "post slow":
            writer.write(head)
            for byte in range(0, len(body), 20):
                await asyncio.sleep(0.02)
                writer.write(body[byte : byte + 20])
            return
        writer.write(head + body)
        await writer.drain()

    async def _read(self, reader: asyncio.StreamReader, kind: str) -> tuple[int, bool]:
        """Reads a response. Returns its status, and whether the connection stays open."""
        if kind == "hang up in response":
            with suppress(TimeoutError):
                async with asyncio.timeout(self._random.uniform(0.001, 0.1)):
                    await reader.readuntil(b"\r\n\r\n")
            raise HungUp
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"\r\ntransfer-encoding: chunked" in head:
            while size := int(await reader.readline(), 16):
                await reader.readexactly(size + 2)
            await reader.readline()
        else:
            length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
        return int(head[9:12]), b"\r\nconnection: close" not in head
