"""The weekly quota of scheduled transfers: marks are known in memory, and shared with other gateways by the ledger."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from relay.domain.ledger import MARK_ROWS, LedgerDown, TransferMarkStore
from relay.domain.quota import Transfer
from relay.policy.quota.weekly_marks import WeeklyMarks, compute_mark
from relay.primitives.event_wait import wait_for_event

_log = logging.getLogger(__name__)

SAVE_S: Final = 0.2
"""Time between two batches for the ledger: so much is lost by a crash."""

LEDGER_S: Final = 3.0
"""Timeout of the ledger."""

MAX_UNSENT: Final = 10_000
"""Responses that may wait for a slow reader; their transfers may be repeated if there are more."""

_Sent = tuple[Transfer, Callable[[], int | None], bool]
"""The arguments of `complete`."""


class WeeklyTransfers:
    """`domain.ports.ScheduledTransfers` over the ledger. No call waits for it.

    `keys` make the marks: the first one those of new transfers, all of them those that are looked up. `is_on` returns
    whether the quota is in force; otherwise the ledger is left alone. `wall` returns epoch seconds.
    """

    def __init__(
        self,
        store: TransferMarkStore,
        keys: Sequence[bytes],
        is_on: Callable[[], bool],
        wall: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._keys = keys
        self._is_on = is_on
        self._wall = wall
        self._clock = clock
        self._marks = WeeklyMarks(wall())
        self._number = 0
        self._unsent: deque[_Sent] = deque()
        self._is_scheduled = False
        self._polled_at = float("-inf")
        self._failures = 0

    def gauges(self) -> dict[str, float]:
        """Returns the gauges for Prometheus."""
        return {
            "relay_transfer_marks": len(self._marks),
            "relay_transfer_marks_waiting": self._marks.waiting,
            "relay_transfer_marks_lost": self._marks.lost,
        }

    def begin(self, description: bytes, now: float, *, is_continuation: bool) -> Transfer:
        """Returns the transfer of a call at epoch time `now`. Raises Refusal(weekly_quota). PERF: 2 us."""
        marks = [compute_mark(key, description) for key in self._keys]
        return Transfer(marks[0], self._marks.check(marks, now), is_continuation)

    def complete(self, transfer: Transfer, find_unsent: Callable[[], int | None], *, is_last: bool) -> None:
        """Notes a success once its response is sent: the transport writes it later in this turn of the loop."""
        if len(self._unsent) >= MAX_UNSENT:
            self._marks.lost += 1
            return
        self._unsent.append((transfer, find_unsent, is_last))
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._note_sent)

    def _note_sent(self) -> None:
        """Notes all successes whose responses are sent, and forgets those whose connections were lost."""
        self._is_scheduled = False
        now = self._clock()
        for _ in range(len(self._unsent)):
            transfer, find_unsent, is_last = self._unsent.popleft()
            unsent = find_unsent()
            if unsent == 0:
                self._marks.complete(transfer, now, is_last=is_last)
            elif unsent is not None:
                self._unsent.append((transfer, find_unsent, is_last))

    async def start(self) -> None:
        """Reads the marks of this week. Raises errors of the ledger."""
        if self._is_on():
            await self._poll()

    async def follow(self, every: float, stop: asyncio.Event) -> None:
        """Saves marks each SAVE_S, and reads those of others each `every` seconds, until `stop`."""
        while not stop.is_set():
            await wait_for_event(stop, min(SAVE_S, every))
            if self._is_on():
                await self._exchange(every)

    async def settle(self) -> None:
        """Saves the rest, once, after the last call."""
        if self._is_on():
            await self._exchange(0.0)

    async def _exchange(self, every: float) -> None:
        """Saves and reads marks. Never raises: without the ledger this gateway goes on with the marks it knows."""
        self._marks.advance(self._wall())
        self._note_sent()
        try:
            await self._save()
            if self._clock() - self._polled_at >= every:
                await self._poll()
            self._marks.decide(self._clock())
            await self._save()
        except Exception as error:  # any error of a driver
            if not isinstance(error, LedgerDown | TimeoutError) and not self._failures:  # it logs its outage itself
                _log.warning("marks of scheduled transfers not shared: reason=%s", type(error).__name__)
            self._failures += 1
        else:
            self._failures = 0

    async def _save(self) -> None:
        while (unsaved := self._marks.get_unsaved()) is not None:
            week, marks = unsaved
            async with asyncio.timeout(LEDGER_S):
                await self._store.add(week, marks, int(self._wall()))
            self._marks.confirm(week, len(marks))

    async def _poll(self) -> None:
        """Reads the marks that were added since the last time, with a turn for calls after each row."""
        self._polled_at = self._clock()
        is_complete = False
        while not is_complete:
            async with asyncio.timeout(LEDGER_S):
                number, rows = await self._store.list_after(self._number, self._marks.week)
            if number < self._number:  # an older ledger was restored: its numbers are given anew
                self._number = 0
                continue
            for week, marks in rows:
                self._marks.add(week, marks)
                await asyncio.sleep(0)
            self._number, is_complete = number, len(rows) < MARK_ROWS
