"""The weekly quota of scheduled transfers: known in memory, shared with other gateways through the ledger."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from relay.domain.ledger import TRANSFER_ROWS, LedgerDown, TransferStore
from relay.domain.quota import Transfer
from relay.policy.quota.weekly_quota import WeeklyQuota, compute_digest
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

    `keys` make the digests: the first one those of new transfers, all of them those that are looked up. `is_on` returns
    whether the quota is in force; otherwise the ledger is left alone. `wall` returns epoch seconds.
    """

    def __init__(
        self,
        store: TransferStore,
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
        self._quota = WeeklyQuota(wall())
        self._number = 0
        self._unsent: deque[_Sent] = deque()
        self._is_scheduled = False
        self._polled_at = float("-inf")
        self._failures = 0

    def gauges(self) -> dict[str, float]:
        """Returns the gauges for Prometheus."""
        return {
            "relay_transfers_known": len(self._quota),
            "relay_transfers_waiting": self._quota.waiting,
            "relay_transfers_lost": self._quota.lost,
        }

    def begin(self, description: bytes, now: float, *, is_continuation: bool) -> Transfer:
        """Returns the transfer of a call at epoch time `now`. Raises Refusal(weekly_quota). PERF: 2 us."""
        digests = [compute_digest(key, description) for key in self._keys]
        return Transfer(digests[0], self._quota.check(digests, now), is_continuation)

    def complete(self, transfer: Transfer, find_unsent: Callable[[], int | None], *, is_last: bool) -> None:
        """Notes a success once its response is sent: the transport writes it later in this turn of the loop."""
        if len(self._unsent) >= MAX_UNSENT:
            self._quota.lost += 1
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
                self._quota.complete(transfer, now, is_last=is_last)
            elif unsent is not None:
                self._unsent.append((transfer, find_unsent, is_last))

    async def start(self) -> None:
        """Reads the digests of this week. Raises errors of the ledger, LedgerDown if it takes too long."""
        if self._is_on():
            try:
                await self._poll()
            except TimeoutError as error:
                raise LedgerDown("it did not answer in time") from error

    async def follow(self, every: float, stop: asyncio.Event) -> None:
        """Saves digests each SAVE_S, and reads those of others each `every` seconds, until `stop`."""
        while not stop.is_set():
            await wait_for_event(stop, min(SAVE_S, every))
            if self._is_on():
                await self._exchange(every)

    async def settle(self) -> None:
        """Saves the rest, once, after the last call. Logs how many digests the ledger did not take."""
        if self._is_on():
            try:
                await self._exchange(0.0)
            finally:
                if self._quota.waiting:
                    _log.warning("scheduled transfers not stored, they may be repeated: count=%d", self._quota.waiting)

    async def _exchange(self, every: float) -> None:
        """Saves and reads digests. Never raises: without the ledger this gateway goes on with the digests it knows."""
        try:
            self._quota.advance(self._wall())
            self._note_sent()
            await self._save()
            if self._clock() - self._polled_at >= every:
                await self._poll()
            self._quota.decide(self._clock())
            await self._save()
        except Exception as error:  # any error of a driver
            if not isinstance(error, LedgerDown | TimeoutError) and not self._failures:  # it logs its outage itself
                _log.warning("scheduled transfers not shared: reason=%s", type(error).__name__)
            self._failures += 1
        else:
            self._failures = 0

    async def _save(self) -> None:
        while (unsaved := self._quota.get_unsaved()) is not None:
            week, digests = unsaved
            async with asyncio.timeout(LEDGER_S):
                await self._store.add(week, digests, int(self._wall()))
            self._quota.confirm(week, len(digests))

    async def _poll(self) -> None:
        """Reads the digests that were added since the last time, with a turn for calls after each row."""
        self._polled_at = self._clock()
        is_complete = False
        while not is_complete:
            async with asyncio.timeout(LEDGER_S):
                number, rows = await self._store.list_after(self._number, self._quota.week)
            if number < self._number:  # an older ledger was restored: its numbers are given anew
                self._number = 0
                continue
            for week, digests in rows:
                self._quota.add(week, digests)
                await asyncio.sleep(0)
            self._number, is_complete = number, len(rows) < TRANSFER_ROWS
