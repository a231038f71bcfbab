"""Runs file reads on a daemon thread: a file that hangs blocks neither the event loop nor the process exit."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from relay.infra.files.regular import awaited_file

T = TypeVar("T")


class ReadingThread(Generic[T]):
    """Runs `work` on a daemon thread. Await `result`; `file` is the file being read.

    Threads of an executor would block the process exit while a file hangs.
    """

    def __init__(self, work: Callable[[], T], name: str) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self.result: asyncio.Future[T] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def file(self) -> str:
        """The file that the thread is reading, "" for none."""
        return awaited_file(self._thread.ident)

    def _run(self) -> None:
        try:
            value = self._work()
        except Exception as error:  # raised again where the result is awaited
            self._post(self._fail, error)
        else:
            self._post(self._succeed, value)

    def _post(self, call: Callable[..., None], outcome: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be closed
            self._loop.call_soon_threadsafe(call, outcome)

    def _succeed(self, value: T) -> None:
        if not self.result.done():
            self.result.set_result(value)

    def _fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)
