"""Whether the authority answers: asked every second over a connection of its own, whatever waits in the pool."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from relay.endpoint.handlers import HEALTH

_log = logging.getLogger(__name__)

EVERY_S: Final = 1.0
ANSWER_S: Final = 5.0
SILENT_S: Final = 10.0
"""Silent for longer, the relay is not ready: a process that was started again has answered by then."""

_REQUEST: Final = f"GET {HEALTH} HTTP/1.1\r\nHost: authority\r\nConnection: close\r\n\r\n".encode()
_ANSWER: Final = b"HTTP/1.1 200 "


class AuthorityLiveness:
    """Remembers when the authority at `path` answered last. `clock` is monotonic; the start counts as an answer."""

    def __init__(self, path: str, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._answered = clock()
        self._silent_since: float | None = None

    @property
    def age(self) -> float:
        """Seconds since the authority answered last."""
        return self._clock() - self._answered

    async def follow(self, stop: asyncio.Event) -> None:
        """Ask until `stop`. One log line tells when the authority falls silent, one when it answers again."""
        while not stop.is_set():
            self._note(await self._ask())
            try:
                await asyncio.wait_for(stop.wait(), EVERY_S)
            except TimeoutError:
                continue

    def _note(self, problem: str) -> None:
        now = self._clock()
        if not problem:
            self._answered = now
            if self._silent_since is not None:
                _log.warning("authority answers again: silent_s=%.0f", now - self._silent_since)
                self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = now
            _log.error("authority does not answer: socket=%s reason=%s", self._path, problem)

    async def _ask(self) -> str:
        """What is wrong, "" when it answers."""
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_unix_connection(self._path)
                try:
                    writer.write(_REQUEST)
                    begin = await reader.readexactly(len(_ANSWER))
                finally:
                    writer.close()
        except TimeoutError:
            return "timeout"
        except asyncio.IncompleteReadError:
            return "closed"
        except OSError as error:
            return (error.strerror or type(error).__name__).lower()
        return "" if begin == _ANSWER else "protocol"
