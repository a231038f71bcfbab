"""List calls at institutions: shared by customers who wait, bounded, and cancelled with their last caller."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, NamedTuple, TypeVar

from relay.domain.institution import DeskFault
from relay.domain.queue_full import Crowded
from relay.infra.fair_semaphore import Turns

AT_ONCE: Final = 16
"""So many customers' lists are asked for at one institution at the same time."""
WAITING: Final = 64
"""So many more wait at one institution; a customer that comes then is told to come again."""
_TOTAL: Final = 1024

T = TypeVar("T")


class ListKey(NamedTuple):
    """Whose lists: customer and service at an institution."""

    org_code: str
    ci: str
    client_id: str


@dataclass(slots=True)
class _SharedCall(Generic[T]):
    """One call under way and how many callers wait for it."""

    task: asyncio.Task[T]
    callers: int = 0


class SharedLists(Generic[T]):
    """Runs list calls: for each key one at a time, for each institution `AT_ONCE`.

    Callers with the same key share a call. It is cancelled when none of them waits any more, and keeps its place at the
    institution until it has ended. It takes `within_s` at most, the wait for its place included.
    """

    def __init__(self, within_s: float, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._within_s = within_s
        self._turns = Turns(_TOTAL, at_once, waiting_each=waiting)
        self._calls: dict[ListKey, _SharedCall[T]] = {}

    async def get(self, key: ListKey, call: Callable[[], Awaitable[T]]) -> T:
        """Return the lists from the call that is under way, or from a new one. Raises DeskFault."""
        shared = self._calls.get(key)
        if shared is None:
            shared = self._calls[key] = _SharedCall(asyncio.create_task(self._run(key, call)))
            shared.task.add_done_callback(partial(self._forget, key))
        shared.callers += 1
        try:
            return await asyncio.shield(shared.task)
        except asyncio.CancelledError:
            if shared.task.cancelled() and not _is_cancelled():
                raise DeskFault("lists: ended by new settings") from None
            raise
        finally:
            shared.callers -= 1
            if not shared.callers:
                shared.task.cancel()
                self._forget(key, shared.task)

    async def close(self) -> None:
        """Cancel all calls."""
        tasks = [shared.task for shared in self._calls.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: ListKey, call: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._within_s), self._turns.turn(key.org_code):
                return await call()
        except TimeoutError:
            raise DeskFault("lists: took too long") from None
        except Crowded:
            raise DeskFault("lists: too many are asked for at once") from None

    def _forget(self, key: ListKey, task: asyncio.Task[Any]) -> None:
        shared = self._calls.get(key)
        if shared is not None and shared.task is task:
            del self._calls[key]
        if task.done() and not task.cancelled():
            task.exception()  # its callers may all have gone


def _is_cancelled() -> bool:
    """Whether the task that runs is being cancelled itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
