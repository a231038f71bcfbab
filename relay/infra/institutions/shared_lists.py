"""List calls to institutions: shared by equal requests, limited, and cancelled with their last waiter."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, NamedTuple, TypeVar

from relay.domain.institution import InstitutionError
from relay.domain.queue_full import QueueFull
from relay.infra.fair_semaphore import FairSemaphore

CONCURRENCY: Final = 16
"""Concurrent list calls to one institution."""
QUEUE_LENGTH: Final = 64
"""List calls that wait for one institution; further ones fail at once."""
_TOTAL_CONCURRENCY: Final = 1024

T = TypeVar("T")


class ListKey(NamedTuple):
    """Customer and service at an institution."""

    org_code: str
    ci: str
    client_id: str


@dataclass(slots=True)
class _SharedCall(Generic[T]):
    """A running call and the number of its waiters."""

    task: asyncio.Task[T]
    waiters: int = 0


class SharedLists(Generic[T]):
    """Runs list calls: one at a time for each key, `concurrency` at a time for each institution.

    Requests with the same key share a call. It is cancelled with its last waiter, and counts for the institution until
    it has ended. `timeout_s` limits the call, including its wait in the queue.
    """

    def __init__(self, timeout_s: float, concurrency: int = CONCURRENCY, queue_length: int = QUEUE_LENGTH) -> None:
        self._within_s = timeout_s
        self._semaphore = FairSemaphore(_TOTAL_CONCURRENCY, concurrency, waiting_each=queue_length)
        self._calls: dict[ListKey, _SharedCall[T]] = {}

    async def get(self, key: ListKey, call: Callable[[], Awaitable[T]]) -> T:
        """Returns the lists from the running call of this key, or from a new one. Raises InstitutionError."""
        shared = self._calls.get(key)
        if shared is None:
            shared = self._calls[key] = _SharedCall(asyncio.create_task(self._run(key, call)))
            shared.task.add_done_callback(partial(self._remove, key))
        shared.waiters += 1
        try:
            return await asyncio.shield(shared.task)
        except asyncio.CancelledError:
            if shared.task.cancelled() and not _is_cancelled():
                raise InstitutionError("lists: cancelled by new settings") from None
            raise
        finally:
            shared.waiters -= 1
            if not shared.waiters:
                shared.task.cancel()
                self._remove(key, shared.task)

    async def close(self) -> None:
        """Cancels all calls."""
        tasks = [shared.task for shared in self._calls.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: ListKey, call: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._within_s), self._semaphore.hold(key.org_code):
                return await call()
        except TimeoutError:
            raise InstitutionError("lists: timed out") from None
        except QueueFull:
            raise InstitutionError("lists: too many concurrent requests") from None

    def _remove(self, key: ListKey, task: asyncio.Task[Any]) -> None:
        shared = self._calls.get(key)
        if shared is not None and shared.task is task:
            del self._calls[key]
        if task.done() and not task.cancelled():
            task.exception()  # marks the exception as retrieved: no waiter may be left


def _is_cancelled() -> bool:
    """Returns whether the current task is being cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
