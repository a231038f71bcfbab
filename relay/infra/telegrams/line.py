"""One line (회선): a TCP connection that carries telegrams, and line management (회선 관리) on it.

A response reaches the request with its unique number. All others are dropped: late ones, doubled ones, those of other
parties. Where telegrams have no unique number, each request has a connection of its own. A line whose state is unknown
is closed.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from relay.domain.fault import FAULTS, Refusal
from relay.infra.telegrams.unique_numbers import UniqueNumbers
from relay.policy.mediation.conversion import Call, build_context
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.link import Header, LineAction, Link
from relay.primitives.log_throttle import LogThrottle

_log = logging.getLogger(__name__)

TelegramWriter = Callable[[str], bytes]
"""Returns a request telegram with this unique number. Raises ConversionError."""

_MAX_UNSENT: Final = 1_048_576
"""A line with more bytes waiting to be sent is closed: the core reads nothing."""

UNFINISHED_S: Final = 1.0
"""A telegram that begins on a line without requests must end after so many seconds."""

LOGGED_EVERY_S: Final = 60.0
"""Seconds between two log lines about the same event of the lines of one institution."""


@dataclass(frozen=True, slots=True)
class LineSettings:
    """What all lines of one institution have in common; see `CoreSettings`."""

    org_code: str
    link: Link
    requests: int
    answer_s: float
    test_s: float
    throttle: LogThrottle

    @property
    def management(self) -> frozenset[LineAction]:
        """The actions of line management that the core knows."""
        management = self.link.settings.management
        return frozenset(management.codes if management is not None else ())


class LineClosed(Refusal):
    """Raised when the core has closed a line and sent nothing since the request. Another line may take the request."""

    def __init__(self) -> None:
        super().__init__(FAULTS["provider_reset"], "closed")


class _Pending:
    """A request under way. It stays when its caller has gone: its response must not reach another request.

    `reads` is the number of reads of the line before it was sent.
    """

    __slots__ = ("answer", "reads", "timer")

    def __init__(self, answer: asyncio.Future[bytes], reads: int, timer: asyncio.TimerHandle) -> None:
        self.answer = answer
        self.reads = reads
        self.timer = timer


class Line(asyncio.Protocol):
    """One connection. `on_free` is called when it can carry one more request, `closed` is set at its end.

    `load` is the number of requests that it carries or that are promised to it.
    """

    def __init__(self, settings: LineSettings, numbers: UniqueNumbers, on_free: Callable[["Line"], None]) -> None:
        self._settings = settings
        self._numbers = numbers
        self._on_free = on_free
        self._loop = asyncio.get_running_loop()
        self._reader = settings.link.open_reader()
        self._transport: asyncio.Transport | None = None
        self._pending: dict[str, _Pending] = {}
        self._management: asyncio.Future[LineAction] | None = None
        self._testing: asyncio.Task[None] | None = None
        self._unfinished: asyncio.TimerHandle | None = None
        self._received_at = 0.0
        self._reads = 0
        self._retires = False
        self.has_answered = False
        self.load = 0
        self.closed = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether the line can carry one more request."""
        is_open = not self._retires and not self.closed.is_set()
        return is_open and self.load < self._settings.requests and not self._is_unfinished

    @property
    def _is_unfinished(self) -> bool:
        """Whether a telegram has begun that belongs to no request: the next response would follow its bytes."""
        return self._reader.pending > 0 and not self.load

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._received_at = self._loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails all requests under way."""
        del exc
        within = "closed_within_telegram" if self._reader.pending else "closed"
        for key, pending in list(self._pending.items()):
            if self._reads == pending.reads:
                self._finish(key)
                if not pending.answer.done():
                    pending.answer.set_exception(LineClosed())
                self.free()
        self._end(Refusal(FAULTS["provider_reset"], within))

    # line management

    async def start(self) -> None:
        """Starts the line, if the core knows that, and tests it from now on. Raises Refusal without an answer."""
        if "start" in self._settings.management:
            await self._manage("start")
        if "test" in self._settings.management:
            self._testing = self._loop.create_task(self._test_when_silent())

    async def _manage(self, action: LineAction) -> None:
        """Sends a telegram of line management and waits for its answer. Raises Refusal."""
        self._management = answered = self._loop.create_future()
        try:
            self._write(self._encode_management(action))
            async with asyncio.timeout(self._settings.answer_s):
                while await answered != action:
                    self._management = answered = self._loop.create_future()
        except TimeoutError:
            raise Refusal(FAULTS["provider_silent"], f"line_{action}") from None
        except ConversionError as error:
            raise Refusal(FAULTS["conversion_failed"], str(error)) from None
        finally:
            self._management = None

    def _encode_management(self, action: LineAction) -> bytes:
        return self._settings.link.encode_line_request(action, self._context(self._numbers.take()))

    async def _test_when_silent(self) -> None:
        """Tests the line whenever it was silent for `test_s`; closes it without an answer."""
        while not self.closed.is_set():
            silent_s = self._loop.time() - self._received_at
            if silent_s < self._settings.test_s or self.load:
                await asyncio.sleep(max(self._settings.test_s - silent_s, min(1.0, self._settings.test_s)))
                continue
            try:
                await self._manage("test")
            except Refusal as refusal:
                self._fail(refusal)

    def _context(self, number: str) -> dict[str, str]:
        """Returns the values of a telegram of line management."""
        return build_context(Call(self._settings.org_code, {}), number, time.time())

    # requests

    async def exchange(self, write: TelegramWriter, deadline: float) -> bytes:
        """Sends a request and returns its response. Its place in `load` was taken before; it is freed here.

        Raises ConversionError when the request cannot be written, LineClosed when the core has closed the line before
        any byte of a response, Refusal when no response comes.
        """
        if self.closed.is_set():
            self.free()
            raise LineClosed
        number = self._numbers.take()
        while number and number.lstrip("0") in self._pending:  # numbers of few digits come again soon
            number = self._numbers.take()
        try:
            telegram = write(number)
        except BaseException:
            self.free()
            raise
        key = number.lstrip("0")
        timer = self._loop.call_later(self._settings.answer_s, self._expire, key)
        pending = self._pending[key] = _Pending(self._loop.create_future(), self._reads, timer)
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
            self._fail(Refusal(FAULTS["provider_silent"], "unread"))

    def free(self) -> None:
        """Gives back one place in `load`."""
        self.load -= 1
        self._watch_unfinished()
        if self._retires and not self.load:
            self.close()
        else:
            self._on_free(self)

    def _finish(self, key: str) -> _Pending | None:
        """Returns the request with this number, which is under way no longer; None for an unknown number."""
        pending = self._pending.pop(key, None)
        if pending is not None:
            pending.timer.cancel()
        return pending

    def _expire(self, key: str) -> None:
        """Ends a request without response. A silent line carries no more requests: its next bytes may be anything."""
        pending = self._finish(key)
        if pending is None:
            return
        if not pending.answer.done():
            pending.answer.set_exception(Refusal(FAULTS["provider_silent"], "response"))
        is_silent = self._reads == pending.reads or self._reader.pending
        self._retires = self._retires or self._settings.requests == 1 or bool(is_silent)
        self.free()

    # received bytes

    def data_received(self, data: bytes) -> None:
        """Divides the stream into telegrams and hands them on."""
        self._received_at = self._loop.time()
        self._reads += 1
        try:
            for telegram in self._reader.feed(data):
                self._receive(telegram)
            self._reader.feed(b"")  # raises for garbage after the last telegram
        except ConversionError as error:
            self._fail(Refusal(FAULTS["conversion_failed"], str(error)))
        self._watch_unfinished()

    def _watch_unfinished(self) -> None:
        """Closes the line when a telegram without request does not end; until then the line carries no request."""
        if self._is_unfinished and not self.closed.is_set():
            if self._unfinished is None:
                refusal = Refusal(FAULTS["conversion_failed"], "unfinished_telegram")
                self._unfinished = self._loop.call_later(UNFINISHED_S, self._fail, refusal)
        elif self._unfinished is not None:
            self._unfinished.cancel()
            self._unfinished = None
            self._on_free(self)

    def _receive(self, telegram: bytes) -> None:
        """Hands on one telegram. Raises ConversionError when its sender cannot be told."""
        try:
            header = self._settings.link.read_header(telegram)
        except ConversionError:
            if self._settings.requests == 1:
                raise
            self._log("telegram dropped", "its header cannot be read")
            return
        if header.line is not None:
            self._receive_management(header)
            return
        has_numbers = self._settings.link.unique_digits > 0
        pending = self._finish(header.unique_number.lstrip("0") if has_numbers else "")
        if pending is None:
            self._log("telegram dropped", "no request waits for it")
            if not has_numbers:
                self.retire()
            return
        self.has_answered = True
        self._retires = self._retires or not has_numbers
        if not pending.answer.done():
            pending.answer.set_result(telegram)
        self.free()

    def _receive_management(self, header: Header) -> None:
        """Answers a telegram of line management, or takes the answer to ours."""
        if header.is_answer:
            if self._management is not None and not self._management.done() and header.line is not None:
                self._management.set_result(header.line)
            return
        self._write(self._settings.link.answer_line_request(header, self._context(header.unique_number)))
        if header.line == "end":
            self.retire()

    def _log(self, event: str, reason: str) -> None:
        """Logs an event of a line, with its number since the last such line of the log."""
        count = self._settings.throttle.count_event(event, self._loop.time())
        if count:
            _log.warning('%s: org_code=%s reason="%s" count=%d', event, self._settings.org_code, reason, count)

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
            if "end" in self._settings.management:
                with suppress(ConversionError):
                    self._write(self._encode_management("end"))
            transport.close()
        self._end(Refusal(FAULTS["provider_reset"], "closed"))

    def _fail(self, refusal: Refusal) -> None:
        """Aborts the connection; all requests under way end with the refusal."""
        self._log("line closed", refusal.detail)
        if self._transport is not None:
            self._transport.abort()
        self._end(refusal)

    def _end(self, refusal: Refusal) -> None:
        if self.closed.is_set():
            return
        self.closed.set()
        if self._unfinished is not None:
            self._unfinished.cancel()
        if self._testing is not None and self._testing is not asyncio.current_task():
            self._testing.cancel()
        if self._management is not None and not self._management.done():
            self._management.set_exception(refusal)
        for key in list(self._pending):
            pending = self._finish(key)
            if pending is not None and not pending.answer.done():
                pending.answer.set_exception(refusal)
            self.free()
