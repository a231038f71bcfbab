"""All lines to the core of one institution: keeps them open and shares them between calls."""

import asyncio
import contextlib
import logging
import random
import socket
import ssl
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from relay.domain.fault import FAULTS, Fault, Refusal
from relay.infra.diagnostics.causes import classify_error
from relay.infra.diagnostics.outages import OutageLog
from relay.infra.dns.happy_eyeballs import connect_socket
from relay.infra.telegrams.acceptor import Acceptor
from relay.infra.telegrams.line import Line, LineClosed, LineSettings, TelegramWriter
from relay.infra.telegrams.line_log import LineLog
from relay.infra.telegrams.unique_numbers import UniqueNumbers
from relay.policy.mediation.link import Link
from relay.policy.settings.core import CoreSettings, split_address
from relay.primitives.event_wait import wait_for_event
from relay.wire.sockets import open_tls_socket

_log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 0.2
MAX_PAUSE_S: Final = 5.0
"""Seconds before a line is opened again, doubled at each failure; half of it is random. A waiting call ends it."""

REFUSED_S: Final = 1.0
"""So long after a failed attempt calls are refused at once; later ones wait for the next attempt."""

UNOPENED: Final = "unopened"
"""The cause of a line that the core opens, and has not opened."""

MAX_WAITING: Final = 1024
"""Calls of one institution that may wait for a line. The gateway's own limits are lower."""

_CAUSES: Final = {
    **{cause: f"connect_{cause}" for cause in ("refused", "reset", "unreachable")},
    "time_out": "connect_timeout",
}
"""Faults by cause, where they have another name."""


def get_connect_fault(cause: str) -> Fault:
    """Returns the fault of a connection that could not be opened; see `diagnostics.causes`."""
    return FAULTS.get(_CAUSES.get(cause, cause), FAULTS["connect_failed"])


@dataclass(slots=True)
class _Slot:
    """One line to be kept open: its address, and why it is not open ("" while it is, or was not tried yet).

    `fault` is that of calls meanwhile, `failed_at` the loop time of its last failure.
    """

    host: str
    port: int
    cause: str = ""
    fault: Fault = FAULTS["connect_failed"]
    failed_at: float = 0.0


def _keep_alive(connected: socket.socket) -> None:
    """Has the kernel detect a core that has gone without closing the connection: after 2 minutes of silence."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 20), (socket.TCP_KEEPCNT, 3)):
        connected.setsockopt(socket.IPPROTO_TCP, option, value)


class Lines:
    """The lines of one institution. `start` opens them, `exchange` uses them, `close` ends them.

    `context` is None on a leased line without TLS, `connect_s` limits the opening of a connection. With `core.listen`
    the core opens the lines; while there is none, calls wait for the next one, at most `connect_s` since the last.
    """

    def __init__(
        self,
        org_code: str,
        link: Link,
        core: CoreSettings,
        context: ssl.SSLContext | None,
        connect_s: float,
        now: float,
    ) -> None:
        self._numbers = UniqueNumbers(link.unique_digits, now)
        requests = min(core.requests, self._numbers.half) if link.unique_digits else 1
        log = LineLog(org_code, time.monotonic)
        self._settings = LineSettings(org_code, link, requests, core.answer_s, core.test_s, log)
        self._context = context
        self._connect_s = connect_s
        addresses = map(split_address, core.addresses)
        self._slots = [_Slot(host, port) for host, port in addresses for _ in range(core.lines)]
        self._acceptor: Acceptor | None = None
        if core.listen is not None:
            self._acceptor = Acceptor(org_code, core.listen, core.peers)
            self._slots = [_Slot("", 0, UNOPENED) for _ in range(core.lines)]
        self._unopened: asyncio.TimerHandle | None = None
        self._lines: list[Line] = []
        self._waiting: deque[asyncio.Future[Line]] = deque()
        self._wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_retired = False
        self._outage = OutageLog(f"core: org_code={org_code}")

    @property
    def open_lines(self) -> int:
        """The number of lines that are open."""
        return len(self._lines)

    def start(self) -> None:
        """Begins to open the lines and keeps them open."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep_open(slot)) for slot in self._slots]
        if self._acceptor is not None:
            self._tasks.append(loop.create_task(self._acceptor.run()))
            self._await_core()

    async def exchange(self, write: TelegramWriter, deadline: float) -> bytes:
        """Sends a request on a free line and returns the response. `deadline` is loop time.

        A request on a line that is just being closed is sent once more: the APIs of the standard only read.
        Raises Refusal (50005, 50003), and ConversionError when `write` raises it or the response has a broken header.
        """
        line = await self._take_line(deadline)
        with contextlib.suppress(LineClosed):
            return await line.exchange(write, deadline)
        line = await self._take_line(deadline)
        try:
            return await line.exchange(write, deadline)
        except LineClosed:
            raise Refusal(FAULTS["provider_reset"], "closed") from None

    async def close(self) -> None:
        """Ends all lines. Requests under way end without response."""
        self._is_retired = True
        self._stop_waiting_for_core()
        lines = list(self._lines)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for line in lines:
            line.close()
        self._refuse_waiting(Refusal(FAULTS["provider_reset"], "closed"))

    def retire(self) -> None:
        """Opens no line any more, and closes each when its requests have ended. Refuses further requests."""
        self._is_retired = True
        self._stop_waiting_for_core()
        for task in self._tasks:
            task.cancel()
        for line in list(self._lines):
            line.retire()
        self._refuse_waiting(Refusal(FAULTS["provider_reset"], "replaced"))

    # calls

    async def _take_line(self, deadline: float) -> Line:
        """Returns a line with a place taken in its `load`. Raises Refusal."""
        line = min((line for line in self._lines if line.has_room), key=lambda line: line.load, default=None)
        if line is not None and not self._waiting:
            line.load += 1
            return line
        self._check_reachable()
        if len(self._waiting) >= MAX_WAITING:
            raise Refusal(FAULTS["provider_busy"], "lines")
        waiting: asyncio.Future[Line] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._serve_waiting()
        try:
            async with asyncio.timeout_at(deadline):
                return await waiting
        except TimeoutError:
            self._withdraw(waiting)
            fault = FAULTS["queue_timeout" if self._lines else "connect_timeout"]
            raise Refusal(fault, "lines") from None
        except asyncio.CancelledError:
            self._withdraw(waiting)
            raise

    def _check_reachable(self) -> None:
        """Raises Refusal if no line could be opened just now; else has the next attempt made at once."""
        if self._is_retired:
            raise Refusal(FAULTS["provider_reset"], "replaced")
        if self._lines:
            return
        self._wanted.set()
        failed_at = max(slot.failed_at for slot in self._slots)
        is_recent = asyncio.get_running_loop().time() - failed_at < REFUSED_S
        has_time = self._unopened is not None
        if all(slot.cause for slot in self._slots) and not has_time and (is_recent or self._acceptor is not None):
            raise self._build_refusal()

    def _build_refusal(self) -> Refusal:
        """Returns the refusal of calls while no line can be opened."""
        latest = max(self._slots, key=lambda slot: slot.failed_at)
        return Refusal(latest.fault, " ".join(dict.fromkeys(slot.cause for slot in self._slots)))

    # lines that the core opens

    def _await_core(self) -> None:
        """Gives the core `connect_s` to open a line; until then calls wait for it."""
        if not self._is_retired:
            self._stop_waiting_for_core()
            self._unopened = asyncio.get_running_loop().call_later(self._connect_s, self._give_up_core)

    def _stop_waiting_for_core(self) -> None:
        if self._unopened is not None:
            self._unopened.cancel()
            self._unopened = None

    def _give_up_core(self) -> None:
        self._unopened = None
        if not self._lines and all(slot.cause for slot in self._slots):
            self._refuse_unreachable()

    def _refuse_unreachable(self) -> None:
        """Refuses waiting calls: no line can be opened."""
        refusal = self._build_refusal()
        self._outage.record_failure(f'"{refusal.detail}"' if " " in refusal.detail else refusal.detail)
        self._refuse_waiting(refusal)

    def _withdraw(self, waiting: "asyncio.Future[Line]") -> None:
        """Waits for a line no more; one that was given just now is free again."""
        if waiting in self._waiting:
            self._waiting.remove(waiting)
        elif not waiting.cancelled() and waiting.exception() is None:
            waiting.result().free()

    def _serve_waiting(self) -> None:
        """Gives free places to waiting calls, in their order."""
        while self._waiting:
            line = min((line for line in self._lines if line.has_room), key=lambda line: line.load, default=None)
            if line is None:
                return
            waiting = self._waiting.popleft()
            if not waiting.done():
                line.load += 1
                waiting.set_result(line)

    def _refuse_waiting(self, refusal: Refusal) -> None:
        waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            if not each.done():
                each.set_exception(Refusal(refusal.fault, refusal.detail))

    # lines

    async def _keep_open(self, slot: _Slot) -> None:
        """Keeps one line open until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            line = Line(self._settings, self._numbers, lambda _: self._serve_waiting())
            try:
                await self._open(line, slot)
            except (OSError, UnicodeError, Refusal) as error:
                self._record_failure(slot, error)
            except Exception as error:  # a bug must not leave the institution without this line
                _log.exception("line not opened: org_code=%s", self._settings.org_code)
                self._record_failure(slot, error)
            else:
                await self._use(line, slot)
                if line.has_answered:
                    pause_s = FIRST_PAUSE_S
                    continue  # some cores close after each response
            self._wanted.clear()
            shortest_s = FIRST_PAUSE_S * random.uniform(0.5, 1.0)  # noqa: S311 - spreads reconnections
            await asyncio.sleep(shortest_s)
            await wait_for_event(self._wanted, pause_s * random.uniform(0.5, 1.0) - shortest_s)  # noqa: S311 - as above
            pause_s = min(2 * pause_s, MAX_PAUSE_S)

    async def _open(self, line: Line, slot: _Slot) -> None:
        """Connects and starts a line. Raises OSError, UnicodeError (no valid host name), Refusal."""
        try:
            if self._acceptor is not None:
                connected = await self._acceptor.take()
                await self._accept(line, connected)
            else:
                async with asyncio.timeout(self._connect_s):
                    await self._connect(line, slot)
            await line.start()
        except BaseException:
            line.close()
            raise

    async def _accept(self, line: Line, connected: socket.socket) -> None:
        _keep_alive(connected)
        options = dict[str, Any]()
        if self._context is not None:
            options = {"ssl": self._context, "ssl_handshake_timeout": self._connect_s}
        await asyncio.get_running_loop().connect_accepted_socket(lambda: line, connected, **options)

    async def _connect(self, line: Line, slot: _Slot) -> None:
        loop, options = asyncio.get_running_loop(), dict[str, Any]()
        if self._context is None:
            connected = await connect_socket(loop, slot.host, slot.port)
        else:
            connected = await connect_socket(loop, slot.host, slot.port, open_tls_socket)
            options = {"ssl": self._context, "server_hostname": slot.host, "ssl_handshake_timeout": self._connect_s}
        _keep_alive(connected)
        await loop.create_connection(lambda: line, sock=connected, **options)

    async def _use(self, line: Line, slot: _Slot) -> None:
        """Shares an open line until it is closed."""
        slot.cause = ""
        self._lines.append(line)
        self._outage.record_success()
        self._serve_waiting()
        try:
            await line.closed.wait()
        finally:
            self._lines.remove(line)
            if self._acceptor is not None:
                slot.cause, slot.fault = UNOPENED, FAULTS["connect_failed"]
                if not self._lines:
                    self._await_core()

    def _record_failure(self, slot: _Slot, error: Exception) -> None:
        """Notes why a line is not open. When no line can be opened, waiting calls are refused."""
        if isinstance(error, Refusal):
            slot.cause, slot.fault = error.detail, error.fault
        else:
            slot.cause = classify_error(error)
            slot.fault = get_connect_fault(slot.cause)
        slot.failed_at = asyncio.get_running_loop().time()
        if self._lines or not all(each.cause for each in self._slots) or self._unopened is not None:
            return
        self._refuse_unreachable()
