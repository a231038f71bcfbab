"""Reports access tokens revoked in this process: in the call's response, and to listening gateways."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from aiohttp import web

from relay.primitives.event_wait import wait_for_event

_KEEPALIVE_S: Final = 15.0
"""Seconds between writes without a revocation. They detect listeners that disconnected."""

_COLLECTED: Final[ContextVar[list[str] | None]] = ContextVar("revoked_of_call", default=None)


@contextmanager
def collect_revoked() -> Iterator[list[str]]:
    """Yields the jtis of access tokens that this call revokes within the block."""
    collected: list[str] = []
    token = _COLLECTED.set(collected)
    try:
        yield collected
    finally:
        _COLLECTED.reset(token)


class RevocationFeed:
    """Tells listening gateways that a token was revoked: each gets a line and then polls the ledger.

    The ledger's numbered revocations are authoritative; a lost line only delays a gateway until its next poll.
    """

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()
        self._is_closed = False

    def announce(self, jtis: Sequence[str]) -> None:
        """Announces revoked access tokens, after their transaction was committed."""
        collected = _COLLECTED.get()
        if collected is not None:
            collected.extend(jtis)
        self._wake()

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """Serves the endless response: one line for each revocation after its head."""
        response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=UTF-8"})
        revoked = asyncio.Event()
        self._listeners.add(revoked)
        try:
            await response.prepare(request)
            while not self._is_closed:
                await wait_for_event(revoked, _KEEPALIVE_S)
                revoked.clear()
                await response.write(b"\n")
        finally:
            self._listeners.discard(revoked)
        return response

    def close(self) -> None:
        """Ends the responses of all listeners."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        for revoked in self._listeners:
            revoked.set()
