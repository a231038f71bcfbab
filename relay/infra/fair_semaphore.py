"""A semaphore that groups share fairly, so that a burst of one group does not stall the others.

An operator calls up to 50 institutions of one customer at once (통합인증-002), many of them behind one relay; another
sends wrong client secrets without end.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from relay.domain.queue_full import QueueFull

MAX_WAITING: Final = 1024
"""Waiters in all; a further one is refused."""

T = TypeVar("T")


@dataclass(slots=True)
class _Group:
    """The queue of one group. It exists while the group has holders or waiters."""

    semaphore: asyncio.Semaphore
    size: int = 0


class FairSemaphore:
    """A semaphore of `total` permits, `each` for one group; `waiting` wait in all, `waiting_each` of one group.

    A group is any hashable value; a secret one is passed as its digest. Groups are served in rotation: the first
    waiter of a group waits for at most one permit of each other group, however many wait there.
    """

    def __init__(self, total: int, each: int, waiting: int = MAX_WAITING, waiting_each: int = MAX_WAITING) -> None:
        self._all = asyncio.Semaphore(total)
        self._each = each
        self._max_size = total + waiting
        self._max_size_each = each + waiting_each
        self._groups: dict[Hashable, _Group] = {}
        self._size = 0

    async def acquire(self, key: Hashable) -> None:
        """Waits for a permit of a group; `release` frees it. Raises QueueFull if too many wait already."""
        group = self._groups.get(key) or _Group(asyncio.Semaphore(self._each))
        if self._size >= self._max_size or group.size >= self._max_size_each:
            raise QueueFull
        self._groups[key] = group
        group.size += 1
        self._size += 1
        try:
            await group.semaphore.acquire()
        except BaseException:
            self._leave(key, group)
            raise
        try:
            await self._all.acquire()
        except BaseException:
            group.semaphore.release()
            self._leave(key, group)
            raise

    def release(self, key: Hashable) -> None:
        """Frees a permit of a group."""
        group = self._groups[key]
        self._all.release()
        group.semaphore.release()
        self._leave(key, group)

    @asynccontextmanager
    async def hold(self, key: Hashable) -> AsyncIterator[None]:
        """Holds a permit of a group inside the block. Raises QueueFull."""
        await self.acquire(key)
        try:
            yield
        finally:
            self.release(key)

    def _leave(self, key: Hashable, group: _Group) -> None:
        group.size -= 1
        self._size -= 1
        if not group.size:
            del self._groups[key]


class FairThreadPool:
    """Threads for signatures and slow hashes, which last milliseconds. A permit is a thread. Uses one event loop."""

    def __init__(self, threads: int, semaphore: FairSemaphore, name: str) -> None:
        self._semaphore = semaphore
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, key: Hashable, function: Callable[[], T]) -> T:
        """Calls `function` on a thread with a permit of the group. Returns its result. Raises QueueFull.

        A caller that stops waiting frees the permit only when the thread has finished.
        """
        loop = asyncio.get_running_loop()
        await self._semaphore.acquire(key)
        try:
            future = self._threads.submit(function)
        except RuntimeError:
            self._semaphore.release(key)
            raise
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._semaphore.release, key))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Lets the threads finish their current calls; starts no others."""
        self._threads.shutdown(wait=True, cancel_futures=True)
