"""The way of counted batches to the ledger: one after the other, each under its id until the ledger has it."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from relay.domain.ledger import Unreachable
from relay.domain.statistics import Batch
from relay.infra.statistics.spool import Spool
from relay.policy.statistics.batches import merged, pieces

_log = logging.getLogger(__name__)

TakeBatch = Callable[[Batch, int], Awaitable[bool]]
"""StatisticsBook.take_batch."""

LINES_MOST: Final = 500
"""Lines of one batch: 3 ms of the loop, 20 ms of a SQLite ledger."""

_TAKE_S: Final = 5.0
_PAUSE_S: Final = 0.1
_PAUSE_MOST_S: Final = 2.0
_LOOK_S: Final = 60.0
"""What died meanwhile is inherited so often, and what could not be read is tried again."""
FREE_MOST: Final = 64
"""Batches that may wait apart; beyond that they are merged."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A batch the ledger has not acknowledged: how many exchanges, since when (monotonic), whether it is on disk."""

    batch: Batch
    size: int
    since: float
    kept: bool = False
    taken: bool = False

    @classmethod
    def of(cls, batch: Batch, since: float, *, kept: bool = False) -> Self:
        """A batch that waits."""
        return cls(batch, sum(batch.counts.values()), since, kept)


class Delivery:
    """Brings batches to the ledger. `waiting` exchanges are on the way, the oldest `since` (monotonic).

    What was offered once may have been taken, though nobody said so: it stays what it is, under its id, and nothing
    overtakes it. Nothing else was seen by anybody: when too much of that waits, it is merged under new ids.
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
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self._merging = False
        self._begun: set[asyncio.Future[None]] = set()
        self._refused = 0
        self._unkept = False
        self._set_aside = 0
        self._unread: set[Path] = set()
        self.waiting = 0
        self.since: float | None = None
        self.failures = 0
        self.broken = 0

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return not self._offered and not self._free

    def add(self, batches: Iterable[Batch], since: float) -> None:
        """Take batches on the way. `since` is when the first of what is in them was counted."""
        self._free += [Waiting.of(batch, since) for batch in batches]
        self._moved()

    async def run(self) -> None:
        """Deliver for ever: what others left behind first, and what they leave meanwhile."""
        await self._inherit()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._deliver())
            both.create_task(self._look_again())

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self._inherit()

    async def _deliver(self) -> None:
        pause = _PAUSE_S
        while True:
            while self.idle or (self._merging and not self._offered):
                self._news.clear()
                await self._news.wait()
            if await self._offer():
                pause = _PAUSE_S
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _PAUSE_MOST_S)

    async def keep(self) -> None:
        """Write down what is not on disk yet, and merge what nobody has seen when there is too much of it.

        A disk that does not take it is told, and asked again the next time; until then it stands in memory alone, and
        is merged there with nothing that is on disk.
        """
        await self._surely(self._keep())

    async def settle(self, within: float) -> int:
        """Deliver what waits in `within` seconds or until the ledger does not take it; how many exchanges still wait.

        Those stand in the spool then, if the disk takes them.
        """
        await asyncio.gather(*self._begun, return_exceptions=True)
        ends = self._clock() + within
        while not self.idle and self._clock() < ends and await self._offer(ends - self._clock()):
            pass
        if not self.idle:
            await self.keep()
            lost = sum(one.size for one in (*self._offered, *self._free) if not one.kept)
            _log.error("statistics of %d exchanges wait in the spool; of %d are lost", self.waiting - lost, lost)
        try:
            await asyncio.to_thread(self._spool.close)
        except OSError as error:
            _log.warning("a folder of the spool cannot be removed (%s)", error.strerror)
        return self.waiting

    async def _keep(self) -> None:
        async with self._turn:
            fresh = [one for one in (*self._offered, *self._free) if not one.kept]
            written = not fresh or await self._written([one.batch for one in fresh], ())
            for one in fresh if written else ():
                one.kept = True
                if one.taken:  # while it was being written
                    await self._forget(one.batch.batch_id)
            free = [one for one in self._free if written or not one.kept]
            if len(free) > self._free_most:
                await self._merge(free, on_disk=written)

    async def _inherit(self) -> None:
        try:
            found = await asyncio.to_thread(self._spool.inherit)
        except Exception as error:  # no thread to be had, say: what is counted here must go on its way
            _log.exception("the spool of statistics cannot be read (%s)", type(error).__name__)
            self.broken = self._set_aside + max(1, len(self._unread))
            return
        now = self._clock()
        waiting = [Waiting.of(batch, now, kept=True) for batch in found.batches]
        self._offered.extend(waiting)
        self._moved()
        self._set_aside += len(found.broken)
        self.broken = self._set_aside + len(found.unread)
        for path in found.broken:
            _log.error("a file of the spool is broken and was set aside: %s; reconcile its day", path)
        for path, why in found.unread.items():
            if path not in self._unread:
                _log.error("statistics cannot be read from the spool: %s (%s); tried again each minute", path, why)
        self._unread = set(found.unread)
        if waiting:
            _log.warning("statistics of %d exchanges found in the spool", sum(one.size for one in waiting))

    async def _offer(self, most_s: float = _TAKE_S) -> bool:
        """Offer the oldest batch to the ledger; whether it has it now."""
        if not self._offered:
            self._offered.append(self._free.popleft())
        first = self._offered[0]
        try:
            async with asyncio.timeout(min(most_s, _TAKE_S)):
                await self._take(first.batch, int(self._wall()))
        except Exception as error:  # whatever a driver raises: it was not acknowledged
            if not isinstance(error, Unreachable):  # the outage of the ledger is logged by itself
                if not self._refused:
                    _log.warning("the ledger does not take statistics (%s)", type(error).__name__)
                self._refused += 1
            self.failures += 1
            return False
        self._offered.remove(first)
        self._moved()
        if self._refused:
            _log.warning("the ledger takes statistics again, after %d failures", self._refused)
            self._refused = 0
        first.taken = True
        if first.kept:
            await self._forget(first.batch.batch_id)
        return True

    async def _written(self, batches: Sequence[Batch], instead_of: Sequence[str]) -> bool:
        """Whether the disk has them now."""
        try:
            await asyncio.to_thread(self._spool.keep, batches, instead_of)
        except OSError as error:
            if not self._unkept:
                _log.error("statistics are kept in memory only: the spool cannot be written (%s)", error.strerror)
            self._unkept = True
            return False
        self._unkept = False
        return True

    async def _forget(self, batch_id: str) -> None:
        try:
            await self._surely(asyncio.to_thread(self._spool.done, batch_id))
        except OSError as error:
            _log.warning("a file of the spool cannot be removed (%s); what is in it is known", error.strerror)

    async def _surely(self, work: Coroutine[None, None, None]) -> None:
        """Do something to its end, whoever is cancelled: memory and disk must not part."""
        task = asyncio.ensure_future(work)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        await asyncio.shield(task)

    async def _merge(self, former: Sequence[Waiting], *, on_disk: bool) -> None:
        """Put together what nobody has seen, neighbours in `_free`; nothing is taken from there meanwhile.

        The next time comes when twice this one's result is there: what is merged again and again costs no more than
        what came.
        """
        self._merging = True
        try:
            batches = await asyncio.to_thread(self._put_together, [one.batch for one in former])
            if on_disk and not await self._written(batches, [one.batch.batch_id for one in former]):
                return
            waiting = list(self._free)
            begins = waiting.index(former[0])
            waiting[begins : begins + len(former)] = [
                Waiting.of(batch, former[0].since, kept=on_disk) for batch in batches
            ]
            self._free = deque(waiting)
            self._free_most = FREE_MOST + 2 * len(batches)
        finally:
            self._merging = False
            self._moved()

    def _put_together(self, former: Sequence[Batch]) -> Sequence[Batch]:
        return list(pieces(*merged(former), LINES_MOST, self._new_id))

    def _moved(self) -> None:
        """What waits is another now. Plain values, because another thread reads them."""
        waiting = [*self._offered, *self._free]
        self.waiting = sum(one.size for one in waiting)
        self.since = waiting[0].since if waiting else None
        self._news.set()
