"""Calls that wait until a grant is fetched from the ledger: the token was not seen here before (규격 2.2)."""

import asyncio
from collections.abc import Awaitable, Callable


class PendingCall:
    """The response source of a call that waits. If the operator disconnects, the call is closed."""

    __slots__ = ("_on_disconnect", "is_cancelled")

    def __init__(self, on_disconnect: Callable[[], None]) -> None:
        self._on_disconnect = on_disconnect
        self.is_cancelled = False

    def pause(self) -> None:
        """Do nothing: no response is sent yet."""

    def resume(self) -> None:
        """Do nothing: no response is sent yet."""

    def peer_disconnected(self) -> None:
        """Close the call. The grant from the ledger is kept for the next call."""
        self.is_cancelled = True
        self._on_disconnect()


class PendingCalls:
    """Holds the tasks of waiting calls, so that none is garbage-collected."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, fetch: Awaitable[None], call: PendingCall, resume: Callable[[], None]) -> None:
        """Call `resume` once `fetch` has finished, unless the operator has disconnected."""
        task = asyncio.ensure_future(_resume_after(fetch, call, resume))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _resume_after(fetch: Awaitable[None], call: PendingCall, resume: Callable[[], None]) -> None:
    await fetch
    if not call.is_cancelled:
        resume()
