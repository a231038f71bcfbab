"""Delivers counted batches to the ledger, one after the other, each under its id until the ledger has it."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final, Self

from relay.domain.ledger import LedgerDown
from relay.domain.statistics import Batch, Line, Pulse
from relay.infra.statistics.pauses import with_pauses
from relay.infra.statistics.spool import Spool, new_uuid
from relay.policy.statistics.batches import merge_batches, split_batches

_log = logging.getLogger(__name__)

TakeBatch = Callable[[Batch, int], Awaitable[bool]]
"""StatisticsStore.take_batch."""

MAX_LINES: Final = 500
"""Maximum lines of a batch: 20 ms of a SQLite ledger, 0.1 ms of the loop to make it."""

MAX_FREE: Final = 64


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """Times in seconds, and the number of batches.

    `take_s` is the time for an answer of the ledger. The pause between two tries doubles from `pause_s` to
    `max_pause_s`. Folders of ended processes, and files that could not be read, are read each `look_s`. At most
    `max_free` batches wait separately; more are merged.
    """

    take_s: float = 5.0
    pause_s: float = 0.1
    max_pause_s: float = 2.0
    look_s: float = 60.0
    max_free: int = MAX_FREE


@dataclass(slots=True, eq=False)
class Waiting:
    """A batch the ledger has not acknowledged: number of exchanges, since when (monotonic), whether it is on disk."""

    batch: Batch
    size: int
    since: float
    is_saved: bool = False
    is_taken: bool = False

    @classmethod
    def of(cls, batch: Batch, since: float, *, is_saved: bool = False) -> Self:
        """Returns a waiting batch."""
        return cls(batch, sum(batch.counts.values()), since, is_saved)


class Delivery:
    """Delivers batches to the ledger. `waiting` exchanges are undelivered, the oldest since `since` (monotonic).

    A batch in `_maybe_taken` was offered by this process or a former one, and may have been taken without an
    acknowledgement: it keeps its content and id, and no other batch overtakes it. Batches in `_unoffered` are known to
    this process only: when too many wait, they are merged under new ids.

    `take` is StatisticsStore.take_batch; `clock` is monotonic, `wall` returns epoch seconds.
    """

    def __init__(
        self,
        take: TakeBatch,
        spool: Spool,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        new_id: Callable[[], str] = new_uuid,
        options: DeliveryOptions = DeliveryOptions(),
    ) -> None:
        self.take = take
        self._spool = spool
        self._clock = clock
        self._wall = wall
        self._new_id = new_id
        self._maybe_taken: deque[Waiting] = deque()
        self._unoffered: deque[Waiting] = deque()
        self._options = options
        self._max_free = options.max_free
        self._changed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._is_merging = False
        self._shielded: set[asyncio.Future[None]] = set()
        self._refused = 0
        self._is_disk_failing = False
        self._set_aside = 0
        self._unreadable: set[Path] = set()
        self._unsplit = 0
        self.waiting = 0
        self.since: float | None = None
        self.failures = 0
        self.broken = 0

    @property
    def is_idle(self) -> bool:
        """Whether no batch waits."""
        return not self._maybe_taken and not self._unoffered

    @property
    def batches(self) -> Sequence[Batch]:
        """The waiting batches in the order of delivery."""
        return [waiting.batch for waiting in (*self._maybe_taken, *self._unoffered)]

    async def add_counts(self, counts: Mapping[Line, int], pulses: Mapping[str, Pulse], since: float) -> None:
        """Adds counts and pulses as batches of at most MAX_LINES lines, one in each turn of the loop.

        They are all added, also when the caller is cancelled: `settle` waits for them.
        """
        self._unsplit += sum(counts.values())
        self._update()
        await self._run_shielded(self._add_counts(counts, pulses, since))

    async def _add_counts(self, counts: Mapping[Line, int], pulses: Mapping[str, Pulse], since: float) -> None:
        for batch in split_batches(counts, pulses, MAX_LINES, self._new_id):
            self._unsplit -= sum(batch.counts.values())
            self.add([batch], since)
            await asyncio.sleep(0)

    def add(self, batches: Iterable[Batch], since: float) -> None:
        """Adds batches. `since` is when the first exchange in them was counted."""
        self._unoffered += [Waiting.of(batch, since) for batch in batches]
        self._update()

    async def run(self) -> None:
        """Delivers for ever: first what other processes left, then what is added, and what they leave meanwhile."""
        await self.inherit()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._deliver())
            both.create_task(self._inherit_regularly())

    async def _inherit_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._options.look_s)
            await self.inherit()

    async def _deliver(self) -> None:
        pause = self._options.pause_s
        while True:
            while self.is_idle or (self._is_merging and not self._maybe_taken):
                self._changed.clear()
                await self._changed.wait()
            if await self.offer():
                pause = self._options.pause_s
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._options.max_pause_s)

    async def save(self) -> None:
        """Writes batches that are not on disk yet, and merges free ones when there are too many.

        A disk error is logged, and writing is tried again the next time; until then the batches are in memory alone
        and are not merged with batches on disk.
        """
        await self._run_shielded(self._save())

    async def settle(self, within: float) -> int:
        """Delivers for at most `within` seconds or until the ledger refuses. Returns the number of exchanges left.

        Those are in the spool then, if the disk takes them.
        """
        await asyncio.gather(*self._shielded, return_exceptions=True)
        deadline = self._clock() + within
        while not self.is_idle and self._clock() < deadline and await self.offer(deadline - self._clock()):
            pass
        if not self.is_idle:
            await self.save()
            lost = sum(waiting.size for waiting in (*self._maybe_taken, *self._unoffered) if not waiting.is_saved)
            level = logging.ERROR if lost else logging.WARNING
            _log.log(level, "statistics not delivered: spooled=%d lost=%d", self.waiting - lost, lost)
        try:
            await asyncio.to_thread(self._spool.close)
        except OSError as error:
            _log.warning("spool folder not removed: reason=%s", error.strerror)
        return self.waiting

    async def _save(self) -> None:
        async with self._lock:
            unsaved = [waiting for waiting in (*self._maybe_taken, *self._unoffered) if not waiting.is_saved]
            is_written = not unsaved or await self._write([waiting.batch for waiting in unsaved], ())
            for waiting in unsaved if is_written else ():
                waiting.is_saved = True
                if waiting.is_taken:  # during the write
                    await self._forget(waiting.batch.batch_id)
            free = [waiting for waiting in self._unoffered if is_written or not waiting.is_saved]
            if len(free) > self._max_free:
                await self._merge(free, is_on_disk=is_written)

    async def inherit(self) -> None:
        """Adds batches that ended processes left in the spool. They come before the free ones."""
        try:
            recovered = await asyncio.to_thread(self._spool.inherit)
        except Exception as error:  # for example, no thread: counting must go on
            _log.exception("statistics spool not read: reason=%s", type(error).__name__)
            self.broken = self._set_aside + max(1, len(self._unreadable))
            return
        now = self._clock()
        waiting = [Waiting.of(batch, now, is_saved=True) for batch in recovered.batches]
        self._maybe_taken.extend(waiting)
        self._update()
        self._set_aside += len(recovered.broken)
        self.broken = self._set_aside + len(recovered.unreadable)
        for path, reason in recovered.broken.items():
            _log.error("spool file broken and set aside, reconcile its day: path=%s reason=%s", path, reason)
        for path, reason in recovered.unreadable.items():
            if path not in self._unreadable:
                _log.error("spool file not read, retried each minute: path=%s reason=%s", path, reason)
        self._unreadable = set(recovered.unreadable)
        if waiting:
            _log.warning("statistics recovered from the spool: exchanges=%d", sum(item.size for item in waiting))

    async def offer(self, most_s: float = inf) -> bool:
        """Offers the oldest waiting batch to the ledger. Returns whether the ledger has it."""
        if not self._maybe_taken:
            self._maybe_taken.append(self._unoffered.popleft())
        first = self._maybe_taken[0]
        try:
            async with asyncio.timeout(min(most_s, self._options.take_s)):
                await self.take(first.batch, int(self._wall()))
        except Exception as error:  # any error of a driver: not acknowledged
            if not isinstance(error, LedgerDown):  # the ledger logs its outage itself
                if not self._refused:
                    _log.warning("ledger refuses statistics: reason=%s", type(error).__name__)
                self._refused += 1
            self.failures += 1
            return False
        self._maybe_taken.remove(first)
        self._update()
        if self._refused:
            _log.warning("ledger takes statistics again: failures=%d", self._refused)
            self._refused = 0
        first.is_taken = True
        if first.is_saved:
            await self._forget(first.batch.batch_id)
        return True

    async def _write(self, batches: Sequence[Batch], replaces: Sequence[str]) -> bool:
        """Writes batches to the spool. Returns whether the disk has them."""
        try:
            await asyncio.to_thread(self._spool.write, batches, replaces)
        except OSError as error:
            if not self._is_disk_failing:
                _log.error("statistics in memory only, spool not written: setting=statistics.spool path=%s reason=%s",
                           error.filename or self._spool.folder, error.strerror)  # fmt: skip
            self._is_disk_failing = True
            return False
        self._is_disk_failing = False
        return True

    async def _forget(self, batch_id: str) -> None:
        try:
            await self._run_shielded(asyncio.to_thread(self._spool.remove, batch_id))
        except OSError as error:
            _log.warning("spool file not removed: reason=%s", error.strerror)

    async def _run_shielded(self, coroutine: Coroutine[None, None, None]) -> None:
        """Runs something to its end, also when the caller is cancelled: memory and disk must stay consistent."""
        task = asyncio.ensure_future(coroutine)
        self._shielded.add(task)
        task.add_done_callback(self._shielded.discard)
        await asyncio.shield(task)

    async def _merge(self, former: Sequence[Waiting], *, is_on_disk: bool) -> None:
        """Merges adjacent batches of `_unoffered`; meanwhile nothing is taken from there.

        It runs again when there are twice as many batches as its result: so repeated merging costs no more than the
        batches that were added.
        """
        self._is_merging = True
        try:
            batches = await asyncio.to_thread(self._merge_batches, [item.batch for item in former])
            if is_on_disk and not await self._write(batches, [item.batch.batch_id for item in former]):
                return
            waiting = list(self._unoffered)
            start = waiting.index(former[0])
            waiting[start : start + len(former)] = [
                Waiting.of(batch, former[0].since, is_saved=is_on_disk) for batch in batches
            ]
            self._unoffered = deque(waiting)
            self._max_free = self._options.max_free + 2 * len(batches)
        finally:
            self._is_merging = False
            self._update()

    def _merge_batches(self, former: Sequence[Batch]) -> Sequence[Batch]:
        counts, pulses = merge_batches(with_pauses(former))
        return list(with_pauses(split_batches(counts, pulses, MAX_LINES, self._new_id)))

    def _update(self) -> None:
        """Updates `waiting` and `since`. They are plain values because another thread reads them."""
        waiting = [*self._maybe_taken, *self._unoffered]
        self.waiting = self._unsplit + sum(item.size for item in waiting)
        self.since = waiting[0].since if waiting else None
        self._changed.set()
