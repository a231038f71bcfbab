"""An HTTP/1.1 connection with control of its bytes: sends in pieces, cuts, and reads answers strictly."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from relay.infra.diagnostics.causes import classify_error
from relay.policy.conformance.judgement import Received
from relay.policy.settings.scalars import ProviderTimeouts
from relay.wire.chunked import ChunkedBody
from relay.wire.client import MAX_INTERIM_RESPONSES
from relay.wire.head import HEAD_END, ProtocolError, ResponseHead, parse_response_head

_MAX_HEAD_BYTES: Final = 16 * 1024
_MAX_HEADERS: Final = 100
_MAX_BODY_BYTES: Final = 16 * 1024 * 1024
_INTERIM: Final = range(100, 200)
_BODILESS: Final = frozenset({204, 304})


class CallFailed(Exception):
    """An answer did not come, or is no HTTP. `rule` is the broken rule, the text the reason."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


class ConnectionEnded(CallFailed):
    """The institution closed the connection before the first byte of the answer."""

    def __init__(self, error: Exception | None = None) -> None:
        is_tls = isinstance(error, ssl.SSLError)
        super().__init__("framing", classify_error(error) if is_tls and error else "closed without an answer")


class ConnectFailed(Exception):
    """No connection; `__cause__` is the error, TimeoutError if it took too long."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an institution listens: its base URL, and the TLS context, None on a leased line.

    `socket` is the Unix socket of the adapter that converts its calls, "" for none.
    """

    base_url: str
    context: ssl.SSLContext | None
    timeouts: ProviderTimeouts
    socket: str = ""

    @property
    def host(self) -> str:
        """The name of the host."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def port(self) -> int:
        """The port, also if the URL has none."""
        return urlsplit(self.base_url).port or (80 if self.context is None else 443)


class _Stream(asyncio.Protocol):
    """The received bytes that are unread, and whether the peer has ended."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.has_ended = False
        self.error: Exception | None = None
        self._changed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._changed.set()

    def eof_received(self) -> bool:
        self.connection_lost(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = self.error or exc
        self.has_ended = True
        self._changed.set()

    async def wait(self) -> None:
        """Waits for more bytes or the end."""
        self._changed.clear()
        if not self.has_ended:
            await self._changed.wait()


async def _open(address: Address) -> tuple[asyncio.Transport, _Stream]:
    loop = asyncio.get_running_loop()
    if address.socket:
        return await loop.create_unix_connection(_Stream, address.socket)
    name = address.host if address.context is not None else None
    return await loop.create_connection(_Stream, address.host, address.port, ssl=address.context, server_hostname=name)


class Connection:
    """An open connection. It carries one call after another with `exchange`."""

    def __init__(self, transport: asyncio.Transport, stream: _Stream, timeouts: ProviderTimeouts) -> None:
        self._transport = transport
        self._stream = stream
        self._timeouts = timeouts

    @classmethod
    async def open(cls, address: Address) -> Self:
        """Opens a connection, TLS included. Raises ConnectFailed."""
        try:
            async with asyncio.timeout(address.timeouts.connect_s):
                transport, stream = await _open(address)
        except (OSError, UnicodeError) as error:  # TimeoutError and ssl.SSLError are OSErrors
            raise ConnectFailed from error
        return cls(transport, stream, address.timeouts)

    @property
    def is_open(self) -> bool:
        """Whether the institution has not ended the connection."""
        return not self._stream.has_ended and not self._transport.is_closing()

    def send(self, data: bytes) -> None:
        """Sends bytes, which may be a part of a call."""
        self._transport.write(data)

    def abort(self) -> None:
        """Ends the connection at once."""
        self._transport.abort()

    async def exchange(self, pieces: Sequence[bytes], pause_s: float = 0.0) -> Received:
        """Sends a call in pieces with pauses between them, and returns its answer.

        Raises CallFailed, as ConnectionEnded if the connection ends before the first byte of the answer.
        """
        timeouts = self._timeouts
        for number, piece in enumerate(pieces):
            if number:
                await asyncio.sleep(pause_s)
            if not self.is_open:
                break
            self.send(piece)
        started = asyncio.get_running_loop().time()
        await self._wait_first_byte(timeouts.first_byte_s)
        try:
            async with asyncio.timeout_at(started + timeouts.total_s):
                head = await self._read_final_head()
                body = await self._read_body(head)
        except TimeoutError:
            raise CallFailed("time_total", f"not complete after {timeouts.total_s:g} s") from None
        except ProtocolError as error:
            raise CallFailed("framing", error.violation.value) from None
        if self._stream.buffer:
            raise CallFailed("framing", "bytes after the body")
        return Received(head.status, head.headers, body, is_open=not head.close and self.is_open)

    async def wait_end(self, seconds: float) -> bool:
        """Waits until the institution ends the connection, or for some seconds. Returns whether it has ended."""
        try:
            async with asyncio.timeout(seconds):
                while not self._stream.has_ended:
                    await self._stream.wait()
        except TimeoutError:
            return False
        return True

    async def _wait_first_byte(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not self._stream.buffer:
                    if self._stream.has_ended:
                        raise ConnectionEnded(self._stream.error)
                    await self._stream.wait()
        except TimeoutError:
            raise CallFailed("time_first_byte", f"nothing after {seconds:g} s") from None

    async def _read_final_head(self) -> ResponseHead:
        """Skips interim responses (1xx), as many as the relay does."""
        for _ in range(MAX_INTERIM_RESPONSES + 1):
            head = await self._read_head()
            if head.status not in _INTERIM:
                return head
        raise CallFailed("framing", "interim_answers")

    async def _read_head(self) -> ResponseHead:
        buffer = self._stream.buffer
        while (end := buffer.find(HEAD_END)) < 0:
            if len(buffer) > _MAX_HEAD_BYTES:
                raise CallFailed("framing", "head_too_large")
            await self._wait_more("in the head")
        raw = bytes(buffer[: end + len(HEAD_END)])
        del buffer[: len(raw)]
        return parse_response_head(raw, _MAX_HEADERS)

    async def _read_body(self, head: ResponseHead) -> bytes:
        if head.status in _BODILESS:
            return b""
        if head.chunked:
            return await self._read_chunks()
        if head.length is None:
            raise CallFailed("framing", "neither Content-Length nor chunked")
        if head.length > _MAX_BODY_BYTES:
            raise CallFailed("framing", "body_too_large")
        buffer = self._stream.buffer
        while len(buffer) < head.length:
            await self._wait_more(f"after {len(buffer)} of {head.length} bytes")
        body = bytes(buffer[: head.length])
        del buffer[: head.length]
        return body

    async def _read_chunks(self) -> bytes:
        chunks, parts, size = ChunkedBody(is_response=True), [], 0
        while not chunks.done:
            data = bytes(self._stream.buffer)
            self._stream.buffer.clear()
            part, rest = chunks.feed(data)
            self._stream.buffer += rest
            parts.append(part)
            size += len(part)
            if size > _MAX_BODY_BYTES:
                raise CallFailed("framing", "body_too_large")
            if not chunks.done:
                await self._wait_more("in a chunk")
        return b"".join(parts)

    async def _wait_more(self, place: str) -> None:
        if self._stream.has_ended:
            raise CallFailed("framing", f"cut {place}")
        await self._stream.wait()
