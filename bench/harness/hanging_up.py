"""Callers that connect, say one thing and hang up, again and again.

Run as a script: hanging_up.py PLAN, a JSON file with what `Plan` holds. Ends when all have come and gone.
"""

import asyncio
import json
import socket
import ssl
import struct
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Final, cast

import uvloop

WAIT_S: Final = 30.0
_RESET: Final = struct.pack("ii", 1, 0)
_HALF: Final = b"POST /v1/bank/accounts/deposit/detail HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{"

KINDS: Final = ("call", "closing", "malformed", "half_head", "half_body", "gone", "silent", "reset")
"""How a connection may end: answered; answered with Connection: close; refused as no request; in the middle of a head
or a body; hung up before the answer; without a word; by a reset."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`count` connections to `port`, `callers` at a time, of `kinds` in turn. Without `ca` they use no TLS."""

    port: int
    count: int
    callers: int
    kinds: tuple[str, ...]
    request: str
    ca: str = ""
    certificate: str = ""
    key: str = ""

    def write(self, path: Path) -> Path:
        """Writes the plan for the script."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
        return path

    def context(self) -> ssl.SSLContext | None:
        """Returns the callers' TLS context; without a certificate mutual TLS refuses them."""
        if not self.ca:
            return None
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def payload(self, kind: str) -> bytes:
        """Returns what a caller of this kind sends."""
        request = self.request.encode()
        return {
            "call": request,
            "closing": request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
            "malformed": b"nonsense\r\n\r\n",
            "half_head": request[:-6],
            "half_body": _HALF,
            "gone": request,
        }.get(kind, b"")


class Caller(asyncio.Protocol):
    """Sends `data`; `answered` completes with the first bytes of a response, or with the end of the connection."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the data."""
        if self._data:
            cast("asyncio.Transport", transport).write(self._data)

    def data_received(self, data: bytes) -> None:
        """Records that a response began."""
        if data and not self.answered.done():
            self.answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Records that no response will come."""
        del exc
        if not self.answered.done():
            self.answered.set_result(None)


async def _call(plan: Plan, context: ssl.SSLContext | None, kind: str) -> None:
    loop, payload = asyncio.get_running_loop(), plan.payload(kind)
    try:
        transport, caller = await loop.create_connection(
            lambda: Caller(payload),
            "127.0.0.1",
            plan.port,
            ssl=context,
            server_hostname="localhost" if context else None,
        )
    except (OSError, ssl.SSLError):  # a refused certificate may end the handshake
        return
    if kind in {"call", "closing", "malformed"} or (context and not plan.certificate):
        async with asyncio.timeout(WAIT_S):
            await caller.answered
    if kind == "reset" and (wire := transport.get_extra_info("socket")) is not None:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


async def main(plan: Plan) -> None:
    """Makes `plan.count` connections."""
    context = plan.context()
    kinds = islice(cycle(plan.kinds), plan.count)

    async def calls(kinds: Iterator[str]) -> None:
        for kind in kinds:
            await _call(plan, context, kind)

    await asyncio.gather(*(calls(kinds) for _ in range(plan.callers)))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Plan(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
