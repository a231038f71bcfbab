"""Calls an institution step by step: DNS, connect, TLS, request, answer; reports time and cause of each step."""

import asyncio
import ssl
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from relay.infra.diagnostics.causes import classify_error
from relay.policy.call.envelope import find_flaw
from relay.policy.call.institution_request import RequestTemplate
from relay.policy.settings.scalars import ProviderTimeouts
from relay.wire.head import HEAD_END, ProtocolError, parse_response_head

_MAX_HEAD_BYTES: Final = 16 * 1024
_MAX_HEADERS: Final = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One step at one address of the institution: whether it succeeded, its duration and a detail."""

    base_url: str
    step: str
    ok: bool
    ms: float
    detail: str


class _StepFailed(Exception):
    """The step failed; the text says why."""


class Probe:
    """Probes one address (`base_url`). `run` returns the steps up to the first failed one.

    `context` is None for a leased line. The call is GET `target` without a customer, with this `tran_id`.
    """

    def __init__(
        self, base_url: str, context: ssl.SSLContext | None, timeouts: ProviderTimeouts, target: str, tran_id: str
    ) -> None:
        self._base_url = base_url
        url = urlsplit(base_url)
        self._host, self._port = url.hostname or "", url.port or (80 if context is None else 443)
        self._context = context
        self._timeouts = timeouts
        self._target = target
        self._tran_id = tran_id.encode()
        self._address = ""
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    async def run(self) -> list[Step]:
        """Runs the steps in order."""
        connect_s, answer_s = self._timeouts.connect_s, self._timeouts.first_byte_s
        plan = [("dns", self._resolve, connect_s), ("connect", self._connect, connect_s)]
        if self._context is not None:
            plan.append(("tls", self._start_tls, connect_s))
        plan += [("request", self._send, answer_s), ("answer", self._read, answer_s)]
        steps: list[Step] = []
        try:
            for name, run_step, seconds in plan:
                started, ok = time.perf_counter(), True
                try:
                    async with asyncio.timeout(seconds):
                        detail = await run_step()
                except _StepFailed as failed:
                    ok, detail = False, str(failed)
                except (OSError, EOFError, UnicodeError) as error:  # TimeoutError and ssl.SSLError are OSErrors
                    ok, detail = False, classify_error(error)
                ms = round((time.perf_counter() - started) * 1000, 1)
                steps.append(Step(self._base_url, name, ok, ms, detail))
                if not ok:
                    break
        finally:
            if self._writer is not None:
                self._writer.transport.abort()
        return steps

    async def _resolve(self) -> str:
        rows = await asyncio.get_running_loop().getaddrinfo(self._host, self._port)
        addresses = list(dict.fromkeys(str(row[4][0]) for row in rows))
        self._address = addresses[0]
        return " ".join(addresses)

    async def _connect(self) -> str:
        self._reader, self._writer = await asyncio.open_connection(self._address, self._port)
        return f"{self._address} port {self._port}"

    async def _start_tls(self) -> str:
        writer = self._get_writer()
        if self._context is not None:
            await writer.start_tls(self._context, server_hostname=self._host)
        peer = writer.get_extra_info("peercert") or {}
        return f"{writer.get_extra_info('ssl_object').version()}, certificate until {peer.get('notAfter', '-')}"

    async def _send(self) -> str:
        address = RequestTemplate.from_url(self._base_url)
        request = b"".join((address.get, self._target.encode(), address.tail, self._tran_id, b"\r\n\r\n"))
        writer = self._get_writer()
        writer.write(request)
        await writer.drain()
        return f"GET {self._target}"

    async def _read(self) -> str:
        try:
            raw = await self._reader.readuntil(HEAD_END)
        except asyncio.LimitOverrunError:
            raise _StepFailed("head_too_large") from None
        if len(raw) > _MAX_HEAD_BYTES:
            raise _StepFailed("head_too_large")
        try:
            head = parse_response_head(raw, _MAX_HEADERS)
        except ProtocolError as error:
            raise _StepFailed(error.violation.value) from None
        flaw = find_flaw(head.status, head.headers, self._tran_id)
        if flaw:
            raise _StepFailed(f"HTTP {head.status}, not accepted: {flaw}")
        if b"x-api-tran-id" not in head.headers:
            raise _StepFailed(f"HTTP {head.status}, without x-api-tran-id")
        return f"HTTP {head.status}, with its x-api-tran-id"

    def _get_writer(self) -> asyncio.StreamWriter:
        if self._writer is None:
            raise _StepFailed("not connected")
        return self._writer
