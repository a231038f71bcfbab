"""Spreads the verification of first-seen tokens over turns of the event loop, fairly between operators."""

import asyncio
from collections import deque
from typing import Final

PER_TURN: Final = 4
"""Tokens verified in one turn of the event loop: each takes 70 to 220 us, in which no other call is served."""


class VerificationTurns:
    """Decides when a token may be verified. At most `PER_TURN` tokens are verified in one turn of the event loop.

    `take` returns whether a token may be verified now. If not, its call awaits `wait`, after which one `take` succeeds.
    Waiting calls come before new ones, and their operators take turns.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._used = 0
        self._is_scheduled = False
        self._is_granted = False

    def take(self) -> bool:
        """Takes the right to verify one token in this turn; returns whether there is one left."""
        if self._is_granted:
            self._is_granted = False
            return True
        if self._waiting or self._used >= PER_TURN:
            return False
        self._used += 1
        self._schedule()
        return True

    async def wait(self, operator: str) -> None:
        """Waits for a turn. The next `take` succeeds if it is called before anything else is awaited."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(operator, deque()).append(future)
        self._schedule()
        await future
        self._is_granted = True

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._start_turn)

    def _start_turn(self) -> None:
        """Grants waiting calls their right, one of each operator in turn."""
        self._is_scheduled = self._is_granted = False
        self._used = 0
        while self._waiting and self._used < PER_TURN:
            operator = next(iter(self._waiting))
            futures = self._waiting.pop(operator)
            future = futures.popleft()
            if futures:
                self._waiting[operator] = futures  # behind the other operators
            if not future.done():  # its call may have been cancelled
                future.set_result(None)
                self._used += 1
        if self._used:
            self._schedule()
