"""Reloads the settings of a process: read on a thread of their own, taken on the event loop, one reload at a time."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from relay.infra.files.reading_thread import ReadingThread
from relay.runtime.processes.file_watch import Fingerprint, Following

_log = logging.getLogger(__name__)

HANGS_S: Final = 10.0
"""A reload that has read for so long is logged: a file among the settings does not answer."""

T = TypeVar("T")
R = TypeVar("R")


class Reloader(Generic[T]):
    """Takes settings anew when files changed or when it is asked.

    `read` runs on a thread and opens every file that the settings lead to; it returns what `take` needs, which runs on
    the loop. Both raise exceptions of `unusable` when the settings cannot be used; `refuse` is told then. `role` names
    the process in the log.
    """

    def __init__(
        self,
        role: str,
        following: Following,
        read: Callable[[], T],
        take: Callable[[T], None],
        refuse: Callable[[Exception], None],
        unusable: tuple[type[Exception], ...],
        hangs_s: float = HANGS_S,
    ) -> None:
        self._role = role
        self._following = following
        self._read, self._take, self._refuse, self._unusable = read, take, refuse, unusable
        self._hangs_s = hangs_s
        self._asked = asyncio.Event()
        self._turn = asyncio.Lock()

    def ask(self) -> None:
        """Ask for a reload. Those asked for while one is under way are one more together."""
        self._asked.set()

    async def run(self, every: float) -> None:
        """Reload when asked, and when files changed, looked at every so many seconds (0: only when asked). For ever."""
        while True:
            with contextlib.suppress(TimeoutError):  # it is time to look at the files then
                async with asyncio.timeout(every or None):
                    await self._asked.wait()
            asked = self._asked.is_set()
            try:
                if asked or await self._off_the_loop(self._following.differs):
                    self._asked.clear()
                    await self.reload()
            except Exception:  # later reloads hang on this task
                _log.exception("settings reload failed: role=%s", self._role)

    async def reload(self) -> None:
        """Take the settings as they stand now; keep those in force when they cannot be used."""
        async with self._turn:
            before, outcome = await self._off_the_loop(self._look_and_read)
            try:
                if isinstance(outcome, _Refused):
                    raise outcome.error
                self._take(outcome)
            except self._unusable as error:
                self._refuse(error)
            await self._off_the_loop(lambda: self._following.seen(before))

    def _look_and_read(self) -> "tuple[Fingerprint, T | _Refused]":
        before = self._following.look()
        try:
            return before, self._read()
        except self._unusable as error:
            return before, _Refused(error)

    async def _off_the_loop(self, work: Callable[[], R]) -> R:
        thread = ReadingThread(work, "settings-reload")
        await asyncio.wait([thread.result], timeout=self._hangs_s)
        if not thread.result.done():
            _log.error(
                "settings reload hangs, settings in force stay: role=%s file=%s", self._role, thread.file or "unknown"
            )
        return await thread.result


class _Refused:
    """The error for which the settings cannot be used."""

    def __init__(self, error: Exception) -> None:
        self.error = error
