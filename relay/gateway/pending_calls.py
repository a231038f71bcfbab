"""Calls that wait because their token was not seen here before (규격 2.2), or for their refusal in an overload.

The former wait for the turn of the event loop in which it is verified, and for its grant from the ledger.
"""

import asyncio
from collections.abc import Awaitable, Callable


class PendingCall:
    """The response source of a call that waits. If the operator disconnects, the call is closed."""

    __slots__ = ("_on_disconnect", "is_cancelled")

    def __init__(self, on_disconnect: Callable[[], None]) -> None:
        self._on_disconnect = on_disconnect
        self.is_cancelled = False

    def pause(self) -> None:
        """Does nothing: no response is sent yet."""

    def resume(self) -> None:
        """Does nothing: no response is sent yet."""

    def peer_disconnected(self) -> None:
        """Closes the call. The grant from the ledger is kept for the next call."""
        self.is_cancelled = True
        self._on_disconnect()


class PendingCalls:
    """Holds the tasks of waiting calls, so that none is garbage-collected."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, preparation: Awaitable[None], call: PendingCall, resume: Callable[[], None]) -> None:
        """Calls `resume` once `preparation` has finished, unless the operator has disconnected."""
        task = asyncio.ensure_future(_resume_after(preparation, call, resume))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def add_delay(self, delay_s: float, call: PendingCall, resume: Callable[[], None]) -> None:
        """Calls `resume` after `delay_s` seconds, unless the operator has disconnected."""
        asyncio.get_running_loop().call_later(delay_s, _resume, call, resume)


async def _resume_after(preparation: Awaitable[None], call: PendingCall, resume: Callable[[], None]) -> None:
    await preparation
    _resume(call, resume)


def _resume(call: PendingCall, resume: Callable[[], None]) -> None:
    if not call.is_cancelled:
        resume()
