"""Access tokens that calls of this process revoked: told with the call's answer, and to gateways that listen."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from aiohttp import web

_LOOK_S: Final = 15.0
"""So often a listener is written to although nothing was revoked: one that is gone is noticed then."""

_OF_CALL: Final[ContextVar[list[str] | None]] = ContextVar("revoked_of_call", default=None)


@contextmanager
def collect_revoked() -> Iterator[list[str]]:
    """The jtis of access tokens that are revoked within the block, by this call alone."""
    collected: list[str] = []
    token = _OF_CALL.set(collected)
    try:
        yield collected
    finally:
        _OF_CALL.reset(token)


class RevocationFeed:
    """Tells gateways beside this process that something was revoked: each is sent a line, and asks the ledger then.

    The ledger's numbered revocations stay the truth; a line that is lost costs a gateway its next poll.
    """

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()
        self._is_closed = False

    def announce(self, jtis: Sequence[str]) -> None:
        """Tell that these access tokens were revoked; the transaction that did it is committed."""
        collected = _OF_CALL.get()
        if collected is not None:
            collected.extend(jtis)
        self._wake()

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """The endpoint: an answer without end, a line for each time that something was revoked after its head."""
        response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=UTF-8"})
        news = asyncio.Event()
        self._listeners.add(news)
        try:
            await response.prepare(request)
            while not self._is_closed:
                await _wait(news)
                news.clear()
                await response.write(b"\n")
        finally:
            self._listeners.discard(news)
        return response

    def close(self) -> None:
        """End the answers of all listeners."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        for news in self._listeners:
            news.set()


async def _wait(news: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_LOOK_S):
            await news.wait()
    except TimeoutError:
        return
