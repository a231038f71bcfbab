"""Checks whether authority and adapter answer, every second over a new connection, independent of their pools."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from relay.endpoint.handlers import HEALTH_PATH
from relay.primitives.event_wait import wait_for_event

_log = logging.getLogger(__name__)

EVERY_S: Final = 1.0
RESPONSE_S: Final = 5.0
SILENT_S: Final = 10.0
"""After a longer silence the relay is not ready. A restarted process answers sooner."""

_REQUEST: Final = f"GET {HEALTH_PATH} HTTP/1.1\r\nHost: authority\r\nConnection: close\r\n\r\n".encode()
_ANSWER: Final = b"HTTP/1.1 200 "


class ProcessLiveness:
    """Holds the time of the last answer of a process at `path`. `clock` is monotonic; the start counts as an answer.

    `name` is that of the process in logs. While it is not needed, it is not asked, and counts as alive.
    """

    def __init__(
        self,
        path: str,
        clock: Callable[[], float],
        name: str = "authority",
        is_needed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._path = path
        self._clock = clock
        self._name = name
        self._is_needed = is_needed
        self._answered_at = clock()
        self._silent_since: float | None = None

    @property
    def age(self) -> float:
        """Seconds since the last answer."""
        return self._clock() - self._answered_at

    async def follow(self, stop: asyncio.Event) -> None:
        """Checks until `stop`. Logs one line when the process falls silent and one when it answers again."""
        while not stop.is_set():
            self._record(await self._check() if self._is_needed() else "")
            await wait_for_event(stop, EVERY_S)

    def _record(self, problem: str) -> None:
        now = self._clock()
        if not problem:
            self._answered_at = now
            if self._silent_since is not None:
                _log.warning("%s answers again: silent_s=%.0f", self._name, now - self._silent_since)
                self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = now
            _log.error("%s does not answer: socket=%s reason=%s", self._name, self._path, problem)

    async def _check(self) -> str:
        """Sends one request. Returns the problem, "" if the process answers."""
        try:
            async with asyncio.timeout(RESPONSE_S):
                reader, writer = await asyncio.open_unix_connection(self._path)
                try:
                    writer.write(_REQUEST)
                    answer = await reader.readexactly(len(_ANSWER))
                finally:
                    writer.close()
        except TimeoutError:
            return "timeout"
        except asyncio.IncompleteReadError:
            return "closed"
        except OSError as error:
            return (error.strerror or type(error).__name__).lower()
        return "" if answer == _ANSWER else "protocol"
