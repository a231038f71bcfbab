"""Reloads settings of a process: read on a thread, applied on the event loop, one reload at a time."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from relay.infra.files.reading_thread import ReadingThread
from relay.runtime.processes.file_watch import FileWatch, Fingerprint

_log = logging.getLogger(__name__)

HANGS_S: Final = 10.0
"""A reload that reads for longer is logged: a file of the settings does not answer."""

T = TypeVar("T")
R = TypeVar("R")


class Reloader(Generic[T]):
    """Reloads settings when their files changed or on request.

    `read` runs on a thread and opens every file of the settings; `apply` gets its result on the loop. Both raise
    exceptions of `errors` when the settings cannot be used; then `reject` is called. `role` names the process in logs.
    """

    def __init__(
        self,
        role: str,
        watch: FileWatch,
        read: Callable[[], T],
        apply: Callable[[T], None],
        reject: Callable[[Exception], None],
        errors: tuple[type[Exception], ...],
        hangs_s: float = HANGS_S,
    ) -> None:
        self._role = role
        self._watch = watch
        self._read, self._apply, self._reject, self._errors = read, apply, reject, errors
        self._hangs_s = hangs_s
        self._requested = asyncio.Event()
        self._lock = asyncio.Lock()

    def request(self) -> None:
        """Requests a reload. Requests during a reload cause one more together."""
        self._requested.set()

    async def run(self, interval_s: float) -> None:
        """Reloads on request and when files changed, checked every `interval_s` (0: never), until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):  # time to check the files
                async with asyncio.timeout(interval_s or None):
                    await self._requested.wait()
            is_requested = self._requested.is_set()
            try:
                if is_requested or await self._run_on_thread(self._watch.has_changed):
                    self._requested.clear()
                    await self.reload()
            except Exception:  # later reloads depend on this task
                _log.exception("settings reload failed: role=%s", self._role)

    async def reload(self) -> None:
        """Applies the current settings; keeps those in force when they cannot be used."""
        async with self._lock:
            before, outcome = await self._run_on_thread(self._fingerprint_and_read)
            try:
                if isinstance(outcome, _Rejected):
                    raise outcome.error
                self._apply(outcome)
            except self._errors as error:
                self._reject(error)
            await self._run_on_thread(lambda: self._watch.mark_known(before))

    def _fingerprint_and_read(self) -> "tuple[Fingerprint, T | _Rejected]":
        before = self._watch.fingerprint()
        try:
            return before, self._read()
        except self._errors as error:
            return before, _Rejected(error)

    async def _run_on_thread(self, work: Callable[[], R]) -> R:
        thread = ReadingThread(work, "settings-reload")
        await asyncio.wait([thread.result], timeout=self._hangs_s)
        if not thread.result.done():
            _log.error(
                "settings reload hangs, settings in force stay: role=%s file=%s", self._role, thread.file or "unknown"
            )
        return await thread.result


class _Rejected:
    """The error for which the settings cannot be used."""

    def __init__(self, error: Exception) -> None:
        self.error = error
