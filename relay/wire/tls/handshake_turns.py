"""Limits the TLS handshakes that compute at the same time."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

AT_ONCE: Final = 4
"""Handshakes that have a turn at the same time. One handshake computes for about 1 ms."""

TURN_S: Final = 0.004
"""A turn ends after this time even if its handshake still waits for the peer, and the next turn begins."""


class GroupSemaphore(Protocol):
    """Shares a number of turns fairly between groups."""

    async def acquire(self, group: str) -> None:
        """Waits for a turn of this group."""

    def release(self, group: str) -> None:
        """Ends a turn of this group."""


class HandshakeTurns:
    """Lets a TLS handshake begin when it has a turn; groups of addresses share the turns fairly.

    Without it, 200 connections that one peer opened at once stopped every call for 90 ms, and a connection of another
    operator waited for its handshake behind all of them. `get_group` returns the group of an address. The messages of
    a peer after its turn, its certificate and the end of its handshake, are not limited here.
    """

    def __init__(self, turns: GroupSemaphore, get_group: Callable[[str], str], loop: asyncio.AbstractEventLoop) -> None:
        self._turns = turns
        self._get_group = get_group
        self._loop = loop

    async def acquire(self, address: str) -> "Turn":
        """Waits for a turn and returns it."""
        group = self._get_group(address)
        await self._turns.acquire(group)
        return Turn(partial(self._turns.release, group), self._loop)


class Turn:
    """A turn. It lasts until `end`, at most `TURN_S`."""

    def __init__(self, release: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        self._release = release
        self._is_held = True
        self._timer = loop.call_later(TURN_S, self.end)

    def end(self) -> None:
        """Ends the turn. A second call does nothing."""
        if self._is_held:
            self._is_held = False
            self._timer.cancel()
            self._release()
