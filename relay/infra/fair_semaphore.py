"""Whose turn it is: so many at once in all, few of them of one party, so that nobody's burst stalls the others.

An operator asks for up to 50 institutions of one customer at once (통합인증-002), many of them behind one relay;
another sends wrong client secrets without end.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from relay.domain.queue_full import Crowded

WAITING_MOST: Final = 1024
"""So many may wait for a turn; who comes then is told to come again."""

T = TypeVar("T")


@dataclass(slots=True)
class _Lane:
    """One party's own queue. It goes when nobody stands in it."""

    places: asyncio.Semaphore
    people: int = 0


class Turns:
    """`total` turns at once, `each` of one party; `waiting` wait in all, `waiting_each` of one party.

    A party that names itself by something private is told apart by a digest of it. Lanes take turns: whoever is first
    in a lane waits for one piece of each other lane at most, however many wait there.
    """

    def __init__(self, total: int, each: int, waiting: int = WAITING_MOST, waiting_each: int = WAITING_MOST) -> None:
        self._all = asyncio.Semaphore(total)
        self._each = each
        self._room = total + waiting
        self._room_each = each + waiting_each
        self._lanes: dict[Hashable, _Lane] = {}
        self._people = 0

    async def take(self, whose: Hashable) -> None:
        """Wait for a turn; `give_back` ends it. Raises Crowded when too many wait already."""
        lane = self._lanes.get(whose) or _Lane(asyncio.Semaphore(self._each))
        if self._people >= self._room or lane.people >= self._room_each:
            raise Crowded
        self._lanes[whose] = lane
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

    def give_back(self, whose: Hashable) -> None:
        """The turn is over."""
        lane = self._lanes[whose]
        self._all.release()
        lane.places.release()
        self._leave(whose, lane)

    @asynccontextmanager
    async def turn(self, whose: Hashable) -> AsyncIterator[None]:
        """A turn for as long as the block lasts. Raises Crowded."""
        await self.take(whose)
        try:
            yield
        finally:
            self.give_back(whose)

    def _leave(self, whose: Hashable, lane: _Lane) -> None:
        lane.people -= 1
        self._people -= 1
        if not lane.people:
            del self._lanes[whose]


class Workers:
    """Threads for what costs milliseconds: signatures, slow hashes. A turn is a thread. Belongs to one event loop."""

    def __init__(self, threads: int, turns: Turns, name: str) -> None:
        self._turns = turns
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, whose: Hashable, work: Callable[[], T]) -> T:
        """What `work` returns or raises, done on a thread in the party's turn. Raises Crowded.

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
