"""A bound on the TLS handshakes that compute at the same time."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

AT_ONCE: Final = 4
"""Handshakes that have a turn at the same time. One computes about 1 ms."""

TURN_S: Final = 0.004
"""A turn ends after this time while its handshake waits for the peer, and the next one begins."""


class FairTurns(Protocol):
    """Shares a number of turns fairly between groups."""

    async def take(self, whose: str) -> None:
        """Wait for a turn of this group."""

    def give_back(self, whose: str) -> None:
        """End a turn of this group."""


class HandshakeTurns:
    """Lets a TLS handshake begin when it has a turn; groups of addresses share the turns fairly.

    Without it 200 connections that one peer opened at once stopped every call for 90 ms, and a connection of another
    operator waited for its handshake behind all of them. `group_of` returns the group of an address. What a peer sends
    after its turn has ended is not bounded here: its certificate and the end of its handshake.
    """

    def __init__(self, turns: FairTurns, group_of: Callable[[str], str], loop: asyncio.AbstractEventLoop) -> None:
        self._turns = turns
        self._group_of = group_of
        self._loop = loop

    async def take(self, address: str) -> "Turn":
        """Wait for a turn and return it."""
        group = self._group_of(address)
        await self._turns.take(group)
        return Turn(partial(self._turns.give_back, group), self._loop)


class Turn:
    """A turn that lasts until `end`, at most `TURN_S`."""

    def __init__(self, give_back: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        self._give_back = give_back
        self._is_held = True
        self._timer = loop.call_later(TURN_S, self.end)

    def end(self) -> None:
        """End the turn. A second call does nothing."""
        if self._is_held:
            self._is_held = False
            self._timer.cancel()
            self._give_back()
