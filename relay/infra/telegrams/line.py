"""One line (회선): a TCP connection that carries telegrams, and line management (회선 관리) on it.

A response reaches the request with its unique number. All others are dropped: late ones, doubled ones, those of other
parties. Where telegrams have no unique number, each request has a connection of its own. A line whose state is unknown
is closed.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from relay.domain.fault import FAULTS, Refusal
from relay.infra.telegrams.line_log import LineLog
from relay.infra.telegrams.line_management import LineManagement
from relay.infra.telegrams.pending_requests import PendingRequest, PendingRequests
from relay.infra.telegrams.unique_numbers import UniqueNumbers
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.link import Header, Link

TelegramWriter = Callable[[str], bytes]
"""Returns a request telegram with this unique number. Raises ConversionError."""

_MAX_UNSENT: Final = 1_048_576
"""A line with more bytes waiting to be sent is closed: the core reads nothing."""

REST_S: Final = 2.0
"""A line without requests is closed when a telegram of the core is not complete after so long: it may be garbage."""


@dataclass(frozen=True, slots=True)
class LineSettings:
    """What all lines of one institution have in common; see `CoreSettings`."""

    org_code: str
    link: Link
    requests: int
    answer_s: float
    test_s: float
    log: LineLog


class LineClosed(Exception):
    """Raised when a line has closed without a part of the response. Another line may take the request.

    It is no Refusal: mypyc's classes allow no interpreted subclass.
    """


class Line(asyncio.Protocol):
    """One connection. `on_free` is called when it can carry one more request, `closed` is set at its end.

    `load` is the number of requests that it carries or that are promised to it.
    """

    def __init__(self, settings: LineSettings, numbers: UniqueNumbers, on_free: Callable[["Line"], None]) -> None:
        self._settings = settings
        self._on_free = on_free
        self._loop = asyncio.get_running_loop()
        self._reader = settings.link.open_reader()
        self._transport: asyncio.Transport | None = None
        self._pending = PendingRequests(numbers)
        self._management = LineManagement(
            settings.org_code, settings.link, settings.log, self._write, self._pending.take_number
        )
        self._testing: asyncio.Task[None] | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        self._received_at = 0.0
        self._reads = 0
        self._is_started = False
        self._retires = False
        self.has_answered = False
        self.load = 0
        self.closed = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether the line can carry one more request. Bytes that belong to no request may be garbage."""
        if self._retires or self.closed.is_set() or (self._reader.pending and not self.load):
            return False
        return self.load < self._settings.requests

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._received_at = self._loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends all requests under way."""
        del exc
        within = self._reader.pending > 0
        self._end(Refusal(FAULTS["provider_reset"], "closed_within_telegram" if within else "closed"), is_lost=True)

    # line management

    async def start(self) -> None:
        """Starts the line, if the core knows that, and tests it from now on. Raises Refusal if the core does not."""
        if self.closed.is_set():
            raise Refusal(FAULTS["provider_reset"], "closed")
        if "start" in self._management.actions:
            await self._management.request("start", self._settings.answer_s)
        self._is_started = True
        if "test" in self._management.actions:
            self._testing = self._loop.create_task(self._test_when_silent())

    async def _test_when_silent(self) -> None:
        """Tests the line whenever it was silent for `test_s`; closes it without a success."""
        while not self.closed.is_set():
            silent_s = self._loop.time() - self._received_at
            if silent_s < self._settings.test_s or self.load:
                await asyncio.sleep(max(self._settings.test_s - silent_s, min(1.0, self._settings.test_s)))
                continue
            try:
                await self._management.request("test", self._settings.answer_s)
            except Refusal as refusal:
                self._abort(refusal, is_lost=True)

    # requests

    async def exchange(self, write: TelegramWriter, deadline: float) -> bytes:
        """Sends a request and returns its response. Its place in `load` was taken before; it is freed here.

        Raises ConversionError when the request cannot be written, or its response has a broken header; LineClosed when
        the line closes without a part of the response; Refusal when no response comes.
        """
        if self.closed.is_set():
            self.free()
            raise LineClosed
        number = self._pending.take_number()
        try:
            telegram = write(number)
        except BaseException:
            self.free()
            raise
        timer = self._loop.call_later(self._settings.answer_s, self._expire, number)
        pending = PendingRequest(self._loop.create_future(), self._reads, timer)
        self._pending.add(number, pending)
        self._write(telegram)
        try:
            async with asyncio.timeout_at(deadline):
                return await pending.answer
        except TimeoutError:
            raise Refusal(FAULTS["provider_silent"], "response") from None

    def _write(self, telegram: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(telegram)
        if transport.get_write_buffer_size() > _MAX_UNSENT:
            self._abort(Refusal(FAULTS["provider_silent"], "unread"))

    def free(self) -> None:
        """Gives back one place in `load`."""
        self.load -= 1
        if self._retires and not self.load:
            self.close()
        else:
            self._on_free(self)

    def _expire(self, number: str) -> None:
        """Ends a request without response. A silent line carries no more requests: its next bytes may be anything."""
        pending = self._pending.expire(number)
        if pending is None:
            return
        if not pending.answer.done():
            pending.answer.set_exception(Refusal(FAULTS["provider_silent"], "response"))
        is_silent = self._reads == pending.reads or self._reader.pending > 0
        if is_silent or self._settings.requests == 1 or self._pending.is_used_up:
            self._retires = True
        self.free()

    # received bytes

    def data_received(self, data: bytes) -> None:
        """Divides the stream into telegrams and hands them on."""
        self._received_at = self._loop.time()
        self._reads += 1
        had_rest = self._rest_timer is not None
        try:
            telegrams = self._reader.feed(data)
            if telegrams:
                self._stop_rest_timer()
            for telegram in telegrams:
                self._receive(telegram)
            self._reader.feed(b"")  # raises for garbage after the last telegram
        except ConversionError as error:
            self._abort(Refusal(FAULTS["conversion_failed"], str(error)))
        if self.closed.is_set():
            return
        if self._reader.pending and self._rest_timer is None:
            self._rest_timer = self._loop.call_later(REST_S, self._close_incomplete)
        elif had_rest and not self._reader.pending:
            self._on_free(self)  # an incomplete telegram had kept requests away

    def _stop_rest_timer(self) -> None:
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None

    def _close_incomplete(self) -> None:
        """Closes a line without requests whose last telegram is still incomplete."""
        self._rest_timer = None
        if self.load:
            self._rest_timer = self._loop.call_later(REST_S, self._close_incomplete)
        else:
            error = ConversionError("frame", 0, "end", "the rest of a telegram")
            self._abort(Refusal(FAULTS["conversion_failed"], str(error)))

    def _receive(self, telegram: bytes) -> None:
        """Hands on one telegram. Raises ConversionError when its sender cannot be told."""
        try:
            header = self._settings.link.read_header(telegram)
        except ConversionError as error:
            self._receive_broken(telegram, error)
            return
        if header.line is not None:
            self._receive_management(header)
            return
        has_numbers = self._settings.link.unique_digits > 0
        number = header.unique_number if has_numbers else ""
        pending = self._pending.finish(number)
        if pending is None:
            is_late = self._pending.is_reserved(number)
            reason = "its request has ended without response" if is_late else "no request waits for it"
            self._settings.log.record("telegram dropped", reason)
            if not has_numbers:
                self.retire()
            return
        self.has_answered = True
        self._retires = self._retires or not has_numbers
        if not pending.answer.done():
            pending.answer.set_result(telegram)
        self.free()

    def _receive_broken(self, telegram: bytes, error: ConversionError) -> None:
        """Ends the request of a telegram with a broken header. Raises the error when another one is in doubt.

        The number may be wrong, too, and the response still to come: it is not used again.
        """
        number = self._settings.link.find_number(telegram)
        pending = self._pending.expire(number) if number else None
        if pending is None:
            if number is not None and self._settings.requests == 1:
                raise error
            self._settings.log.record("telegram dropped", str(error))
            return
        if not pending.answer.done():
            pending.answer.set_exception(error)
        self._retires = self._retires or self._pending.is_used_up
        self.free()

    def _receive_management(self, header: Header) -> None:
        """Answers a telegram of line management, or takes the answer to ours."""
        if header.is_answer:
            self._management.receive_answer(header)
        elif not self._management.answer(header) or header.line == "end":
            self.retire()

    # the end

    def retire(self) -> None:
        """Carries no new request. Closes when those under way have ended."""
        self._retires = True
        if not self.load:
            self.close()

    def close(self) -> None:
        """Ends the line, if the core knows that, and closes the connection."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            if self._is_started and "end" in self._management.actions:
                with suppress(ConversionError):
                    self._management.send("end")
            transport.close()
        self._end(Refusal(FAULTS["provider_reset"], "closed"))

    def _abort(self, refusal: Refusal, *, is_lost: bool = False) -> None:
        """Aborts the connection; see `_end`."""
        if self.closed.is_set():
            return
        self._settings.log.record("line closed", refusal.detail)
        if self._transport is not None:
            self._transport.abort()
        self._end(refusal, is_lost=is_lost)

    def _end(self, refusal: Refusal, *, is_lost: bool = False) -> None:
        """Ends all requests under way with the refusal.

        Of a lost line only a request that may have a part of its response: the others may be sent on another line.
        """
        if self.closed.is_set():
            return
        self.closed.set()
        self._stop_rest_timer()
        if self._testing is not None and self._testing is not asyncio.current_task():
            self._testing.cancel()
        self._management.fail(refusal)
        is_within = self._reader.pending > 0
        for pending in self._pending.finish_all():
            is_unanswered = is_lost and (not is_within or pending.reads == self._reads)
            if not pending.answer.done():
                pending.answer.set_exception(LineClosed() if is_unanswered else refusal)
            self.free()
