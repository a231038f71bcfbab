"""A bank with two addresses that answers as each call demands, and that fails in part of each minute.

The parameter `limit` of a call names the answer, so that a caller knows what it will get.
"""

import asyncio
import itertools
import re
import socket
import ssl
import time
from collections import Counter
from enum import IntEnum
from typing import Final

from harness.layout import free_ports
from hostile.world import LOOPBACK


class Answer(IntEnum):
    """Values of `limit`, with the answer that each demands."""

    SMALL = 10
    LARGE = 400
    STREAMED = 401
    TRICKLED = 402
    SILENT = 403
    CUT = 404


CYCLE_S: Final = 30.0
FAILS_S: Final = (15.0, 20.0)
"""Within each cycle, when both addresses accept calls and answer none: the breaker opens."""

CLOSED_S: Final = (23.0, 28.0)
"""Within each cycle, when the second address is closed: it is ejected."""

LARGE_BYTES: Final = 1 << 20
PIECES: Final = 40
PIECE: Final = b"x" * 4096
_HEAD_END: Final = b"\r\n\r\n"
_LIMIT: Final = re.compile(rb'limit=(\d+)|"limit": ?"(\d+)"')
_TRAN_ID: Final = re.compile(rb"\r\nx-api-tran-id: *([^\r]+)", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_OPENING: Final = b'{"rsp_code":"00000","rsp_msg":"ok","search_timestamp":"0","reg_date":"20200101","x":"'
_CLOSING: Final = b'"}'


def is_within(seconds: float, span: tuple[float, float]) -> bool:
    """Returns whether this time after the start lies in a span of the cycle."""
    return span[0] <= seconds % CYCLE_S < span[1]


def find_answer(head: bytes, body: bytes) -> Answer:
    """Returns the demanded answer; a small one where none is named."""
    match = _LIMIT.search(head) or _LIMIT.search(body)
    number = int(match[1] or match[2]) if match else Answer.SMALL
    return Answer(number) if number in set(Answer) else Answer.SMALL


def build_head(request: bytes, framing: bytes) -> bytes:
    """Returns the head of a response with the request's x-api-tran-id."""
    match = _TRAN_ID.search(request)
    fields = b"Content-Type: application/json; charset=UTF-8\r\nx-api-tran-id: " + (match[1] if match else b"")
    return b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + framing + _HEAD_END


class ChangingBank:
    """Serves the bank with TLS on two ports until it is closed; `calls` counts what it received."""

    def __init__(self, certificate: str, private_key: str, first_port: int) -> None:
        self.ports = (first_port, *free_ports(1))
        self.calls: Counter[str] = Counter()
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate, private_key)
        self._servers: dict[int, asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun = time.monotonic()
        self._is_healthy = False

    @property
    def urls(self) -> list[str]:
        """The base URLs."""
        return [f"https://{LOOPBACK}:{port}" for port in self.ports]

    async def run(self, stop: asyncio.Event) -> None:
        """Serves in cycles until `stop` is set, then without failures until it is cancelled."""
        for port in self.ports:
            await self._open(port)
        try:
            for _ in itertools.repeat(None):
                seconds = time.monotonic() - self._begun
                self._is_healthy = stop.is_set()
                is_closed = is_within(seconds, CLOSED_S) and not self._is_healthy
                if is_closed and self.ports[1] in self._servers:
                    self._servers.pop(self.ports[1]).close()
                elif not is_closed and self.ports[1] not in self._servers:
                    await self._open(self.ports[1])
                await asyncio.sleep(0.2)
        finally:
            for server in self._servers.values():
                server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _open(self, port: int) -> None:
        bound = socket.create_server((LOOPBACK, port))
        self._servers[port] = await asyncio.start_server(self._serve, sock=bound, ssl=self._context)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            while head := await reader.readuntil(_HEAD_END):
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                await self._respond(writer, head, find_answer(head, body))
        except (OSError, asyncio.IncompleteReadError):
            self.calls["connections closed"] += 1
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _respond(self, writer: asyncio.StreamWriter, head: bytes, answer: Answer) -> None:
        if is_within(time.monotonic() - self._begun, FAILS_S) and not self._is_healthy:
            answer = Answer.SILENT if self.calls.total() % 2 else Answer.CUT
        self.calls[answer.name.lower()] += 1
        if answer is Answer.SILENT:
            await asyncio.sleep(60)  # the relay gives up before
        elif answer is Answer.CUT:
            writer.write(build_head(head, b"Content-Length: 1000") + _OPENING)
            await writer.drain()
            raise ConnectionAbortedError
        elif answer in {Answer.STREAMED, Answer.TRICKLED}:
            await _write_pieces(writer, head, answer)
        else:
            filler = b"x" * (LARGE_BYTES if answer is Answer.LARGE else 500)
            body = _OPENING + filler + _CLOSING
            writer.write(build_head(head, b"Content-Length: %d" % len(body)) + body)
            await writer.drain()


async def _write_pieces(writer: asyncio.StreamWriter, head: bytes, answer: Answer) -> None:
    """Writes a chunked response: at once, or in pieces that take two seconds."""
    writer.write(build_head(head, b"Transfer-Encoding: chunked") + _chunk(_OPENING))
    for _ in range(PIECES):
        writer.write(_chunk(PIECE if answer is Answer.STREAMED else PIECE[:7]))
        await writer.drain()
        await asyncio.sleep(0.05 if answer is Answer.TRICKLED else 0)
    writer.write(_chunk(_CLOSING) + b"0" + _HEAD_END)
    await writer.drain()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
