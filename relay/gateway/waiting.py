"""A call that waits for the ledger: its token was not seen here before (규격 2.2). The one coroutine of the gateway."""

import asyncio
from collections.abc import Awaitable, Callable


class PendingCall:
    """What the operator's connection holds meanwhile: an operator who leaves takes the call along."""

    __slots__ = ("_gone", "left")

    def __init__(self, gone: Callable[[], None]) -> None:
        self._gone = gone
        self.left = False

    def pause(self) -> None:
        """Nothing is sent yet."""

    def resume(self) -> None:
        """Nothing is sent yet."""

    def peer_disconnected(self) -> None:
        """Close the call; what comes from the ledger is kept for the next one."""
        self.left = True
        self._gone()


class PendingCalls:
    """The tasks of calls that wait, so that none is lost."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, fetched: Awaitable[None], waiting: PendingCall, go_on: Callable[[], None]) -> None:
        """Go on once the ledger has spoken, unless the operator left."""
        task = asyncio.ensure_future(_after(fetched, waiting, go_on))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _after(fetched: Awaitable[None], waiting: PendingCall, go_on: Callable[[], None]) -> None:
    await fetched
    if not waiting.left:
        go_on()
