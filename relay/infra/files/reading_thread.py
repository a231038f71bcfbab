"""Runs work that reads files on a thread of its own: a file that hangs stops neither the loop nor the end."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from relay.infra.files.regular import awaited_file

T = TypeVar("T")


class ReadingThread(Generic[T]):
    """Runs `work` on a daemon thread. Await `result`; `file` tells which file it waits for.

    Threads of an executor would keep the process from ending for as long as the file hangs.
    """

    def __init__(self, work: Callable[[], T], name: str) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self.result: asyncio.Future[T] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def file(self) -> str:
        """The file that the thread waits for just now; "" when it waits for none."""
        return awaited_file(self._thread.ident)

    def _run(self) -> None:
        try:
            value = self._work()
        except Exception as error:  # whatever it is, the one who awaits the result gets it
            self._post(self._fail, error)
        else:
            self._post(self._succeed, value)

    def _post(self, call: Callable[..., None], outcome: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            self._loop.call_soon_threadsafe(call, outcome)

    def _succeed(self, value: T) -> None:
        if not self.result.done():
            self.result.set_result(value)

    def _fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)
