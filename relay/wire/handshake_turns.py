"""The work of TLS handshakes spread over the turns of the event loop, shared fairly by address."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

AT_ONCE: Final = 4
"""Most handshakes that compute in one turn of the loop, about 1 ms each."""

LOAN_S: Final = 0.004
"""So long a handshake counts while its peer is silent; then the next one may begin beside it."""


class HandshakeTurns:
    """Lets few handshakes begin at a time; those that wait are taken group by group in rotation.

    Without it 200 connections that one peer opened at once stopped every call for 90 ms, and a connection of another
    operator waited for its handshake behind all of them. What a peer sends after its turn is over is not bounded.
    `group_of` names what addresses share a place in the rotation.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, group_of: Callable[[str], str]) -> None:
        self._loop = loop
        self._group_of = group_of
        self._taken = 0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def take(self, address: str) -> "Turn":
        """Wait for a turn. It ends by itself after `LOAN_S`."""
        if self._taken < AT_ONCE:
            self._taken += 1
            return Turn(self._next, self._loop)
        granted = self._loop.create_future()
        self._waiting.setdefault(self._group_of(address), deque()).append(granted)
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self._next()
            raise
        return Turn(self._next, self._loop)

    def _next(self) -> None:
        """One turn has ended: the next group gets it."""
        while self._waiting:
            group = next(iter(self._waiting))
            queue = self._waiting.pop(group)
            granted = queue.popleft()
            if queue:
                self._waiting[group] = queue
            if not granted.done():
                granted.set_result(None)
                return
        self._taken -= 1


class Turn:
    """A turn that is held until it is ended, or until its time is over."""

    def __init__(self, ended: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        self._ended = ended
        self._is_held = True
        self._timer = loop.call_later(LOAN_S, self.end)

    def end(self) -> None:
        """End the turn unless it has ended."""
        if self._is_held:
            self._is_held = False
            self._timer.cancel()
            self._ended()
