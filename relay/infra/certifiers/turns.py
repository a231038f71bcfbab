"""Whose turn it is: so many at once in all, few of them of one customer, so that nobody's burst stalls the others.

An operator asks for up to 50 institutions of one customer at once (통합인증-002), many of them behind one relay.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from relay.domain.proof import Doubt, Unproven

WAITING_MOST: Final = 1024
"""So many may wait for a turn; who comes then is told to come again."""

T = TypeVar("T")


@dataclass(slots=True)
class _Lane:
    """One customer's own queue. It goes when nobody stands in it."""

    places: asyncio.Semaphore
    people: int = 0


class Turns:
    """`total` turns at once, `each` of one customer. Customers are told apart by a digest of their CI."""

    def __init__(self, total: int, each: int, waiting: int = WAITING_MOST) -> None:
        self._all = asyncio.Semaphore(total)
        self._each = each
        self._room = total + waiting
        self._lanes: dict[bytes, _Lane] = {}
        self._people = 0

    async def take(self, whose: bytes) -> None:
        """Wait for a turn; `give_back` ends it. Raises Unproven BUSY when too many wait already."""
        if self._people >= self._room:
            raise Unproven(Doubt.BUSY)
        lane = self._lanes.setdefault(whose, _Lane(asyncio.Semaphore(self._each)))
        lane.people += 1
        self._people += 1
        try:
            await lane.places.acquire()
        except BaseException:
            self._leave(whose, lane)
            raise
        try:
            await self._all.acquire()
        except BaseException:
            lane.places.release()
            self._leave(whose, lane)
            raise

    def give_back(self, whose: bytes) -> None:
        """The turn is over."""
        lane = self._lanes[whose]
        self._all.release()
        lane.places.release()
        self._leave(whose, lane)

    @asynccontextmanager
    async def turn(self, whose: bytes) -> AsyncIterator[None]:
        """A turn for as long as the block lasts."""
        await self.take(whose)
        try:
            yield
        finally:
            self.give_back(whose)

    def _leave(self, whose: bytes, lane: _Lane) -> None:
        lane.people -= 1
        self._people -= 1
        if not lane.people:
            del self._lanes[whose]


class Verifiers:
    """Threads for what costs milliseconds: reading DER, checking and making signatures. Belongs to one event loop."""

    def __init__(self, threads: int, waiting: int = WAITING_MOST) -> None:
        self._turns = Turns(threads, max(1, threads // 2), waiting)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="verifier")

    async def run(self, whose: bytes, work: Callable[[], T]) -> T:
        """What `work` returns or raises, done on a thread in the customer's turn. Raises Unproven BUSY.

        Who stops waiting frees the turn only when the thread is done: a turn is a thread.
        """
        loop = asyncio.get_running_loop()
        await self._turns.take(whose)
        try:
            working = self._threads.submit(work)
        except RuntimeError:
            self._turns.give_back(whose)
            raise
        working.add_done_callback(lambda _: loop.call_soon_threadsafe(self._turns.give_back, whose))
        return await asyncio.wrap_future(working)

    def close(self) -> None:
        """Let the threads end what they are at; nothing new begins."""
        self._threads.shutdown(wait=True, cancel_futures=True)
