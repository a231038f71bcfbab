"""Delivers counted batches to the ledger, one after the other, each under its id until the ledger has it."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from relay.domain.ledger import LedgerDown
from relay.domain.statistics import Batch
from relay.infra.statistics.spool import Spool
from relay.policy.statistics.batches import merge_batches, split_batches

_log = logging.getLogger(__name__)

TakeBatch = Callable[[Batch, int], Awaitable[bool]]
"""StatisticsStore.take_batch."""

LINES_MOST: Final = 500
"""Maximum lines of a batch: 3 ms of the loop, 20 ms of a SQLite ledger."""

_TAKE_S: Final = 5.0
_PAUSE_S: Final = 0.1
_PAUSE_MOST_S: Final = 2.0
_LOOK_S: Final = 60.0
"""Interval for inheriting folders of killed processes, and for reading again what could not be read."""
FREE_MOST: Final = 64
"""Batches that may wait separately; more are merged."""


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

    An offered batch may have been taken without an acknowledgement: it keeps its content and id, and no other batch
    overtakes it. Other batches are known to this process only: when too many wait, they are merged under new ids.
    """

    def __init__(
        self,
        take: TakeBatch,
        spool: Spool,
        clock: Callable[[], float],
        wall: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._take = take
        self._spool = spool
        self._clock = clock
        self._wall = wall
        self._new_id = new_id
        self._offered: deque[Waiting] = deque()
        self._free: deque[Waiting] = deque()
        self._free_most = FREE_MOST
        self._changed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._is_merging = False
        self._shielded: set[asyncio.Future[None]] = set()
        self._refused = 0
        self._is_disk_failing = False
        self._set_aside = 0
        self._unreadable: set[Path] = set()
        self.waiting = 0
        self.since: float | None = None
        self.failures = 0
        self.broken = 0

    @property
    def is_idle(self) -> bool:
        """Whether no batch waits."""
        return not self._offered and not self._free

    def add(self, batches: Iterable[Batch], since: float) -> None:
        """Adds batches. `since` is when the first exchange in them was counted."""
        self._free += [Waiting.of(batch, since) for batch in batches]
        self._update()

    async def run(self) -> None:
        """Delivers for ever: first what other processes left, then what is added, and what they leave meanwhile."""
        await self._inherit()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._deliver())
            both.create_task(self._inherit_regularly())

    async def _inherit_regularly(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self._inherit()

    async def _deliver(self) -> None:
        pause = _PAUSE_S
        while True:
            while self.is_idle or (self._is_merging and not self._offered):
                self._changed.clear()
                await self._changed.wait()
            if await self._offer():
                pause = _PAUSE_S
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _PAUSE_MOST_S)

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
        while not self.is_idle and self._clock() < deadline and await self._offer(deadline - self._clock()):
            pass
        if not self.is_idle:
            await self.save()
            lost = sum(waiting.size for waiting in (*self._offered, *self._free) if not waiting.is_saved)
            _log.error("statistics not delivered: spooled=%d lost=%d", self.waiting - lost, lost)
        try:
            await asyncio.to_thread(self._spool.close)
        except OSError as error:
            _log.warning("spool folder not removed: reason=%s", error.strerror)
        return self.waiting

    async def _save(self) -> None:
        async with self._lock:
            unsaved = [waiting for waiting in (*self._offered, *self._free) if not waiting.is_saved]
            is_written = not unsaved or await self._write([waiting.batch for waiting in unsaved], ())
            for waiting in unsaved if is_written else ():
                waiting.is_saved = True
                if waiting.is_taken:  # during the write
                    await self._forget(waiting.batch.batch_id)
            free = [waiting for waiting in self._free if is_written or not waiting.is_saved]
            if len(free) > self._free_most:
                await self._merge(free, is_on_disk=is_written)

    async def _inherit(self) -> None:
        try:
            recovered = await asyncio.to_thread(self._spool.inherit)
        except Exception as error:  # for example, no thread: counting must go on
            _log.exception("statistics spool not read: reason=%s", type(error).__name__)
            self.broken = self._set_aside + max(1, len(self._unreadable))
            return
        now = self._clock()
        waiting = [Waiting.of(batch, now, is_saved=True) for batch in recovered.batches]
        self._offered.extend(waiting)
        self._update()
        self._set_aside += len(recovered.broken)
        self.broken = self._set_aside + len(recovered.unreadable)
        for path in recovered.broken:
            _log.error("spool file broken and set aside, reconcile its day: path=%s", path)
        for path, reason in recovered.unreadable.items():
            if path not in self._unreadable:
                _log.error("spool file not read, retried each minute: path=%s reason=%s", path, reason)
        self._unreadable = set(recovered.unreadable)
        if waiting:
            _log.warning("statistics recovered from the spool: exchanges=%d", sum(item.size for item in waiting))

    async def _offer(self, most_s: float = _TAKE_S) -> bool:
        """Offers the oldest batch to the ledger. Returns whether the ledger has it."""
        if not self._offered:
            self._offered.append(self._free.popleft())
        first = self._offered[0]
        try:
            async with asyncio.timeout(min(most_s, _TAKE_S)):
                await self._take(first.batch, int(self._wall()))
        except Exception as error:  # any error of a driver: not acknowledged
            if not isinstance(error, LedgerDown):  # the ledger logs its outage itself
                if not self._refused:
                    _log.warning("ledger refuses statistics: reason=%s", type(error).__name__)
                self._refused += 1
            self.failures += 1
            return False
        self._offered.remove(first)
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
                _log.error("statistics in memory only, spool not written: reason=%s", error.strerror)
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
        """Merges adjacent batches of `_free`; meanwhile nothing is taken from there.

        It runs again when there are twice as many batches as its result: so repeated merging costs no more than the
        batches that were added.
        """
        self._is_merging = True
        try:
            batches = await asyncio.to_thread(self._merge_batches, [item.batch for item in former])
            if is_on_disk and not await self._write(batches, [item.batch.batch_id for item in former]):
                return
            waiting = list(self._free)
            start = waiting.index(former[0])
            waiting[start : start + len(former)] = [
                Waiting.of(batch, former[0].since, is_saved=is_on_disk) for batch in batches
            ]
            self._free = deque(waiting)
            self._free_most = FREE_MOST + 2 * len(batches)
        finally:
            self._is_merging = False
            self._update()

    def _merge_batches(self, former: Sequence[Batch]) -> Sequence[Batch]:
        return list(split_batches(*merge_batches(former), LINES_MOST, self._new_id))

    def _update(self) -> None:
        """Updates `waiting` and `since`. They are plain values because another thread reads them."""
        waiting = [*self._offered, *self._free]
        self.waiting = sum(item.size for item in waiting)
        self.since = waiting[0].since if waiting else None
        self._changed.set()
