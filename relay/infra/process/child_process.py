"""A child process that the event loop waits for, started with SIGHUP blocked until the child handles it."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Final

_HANGUP: Final = (signal.SIGHUP,)


class ChildProcess:
    """A running child. Its standard input is a pipe or a socket that the kernel closes when this process ends.

    It replaces `asyncio.create_subprocess_exec`, which resets signals under uvloop: a SIGHUP before the child has a
    handler would kill it. Here the child inherits SIGHUP blocked and receives it after unblocking.
    """

    def __init__(self, command: Sequence[str], niceness: int = 0, stdin: int = subprocess.PIPE) -> None:
        """Starts the command in its own session. Raises OSError.

        Its nice value is that of this process plus `niceness`: it has a lower priority. `stdin` is the descriptor of
        its standard input, by default a new pipe.
        """
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, _HANGUP)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                command, stdin=stdin, start_new_session=True
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)
        if niceness:  # applies to the child's first thread; later ones inherit it
            os.setpriority(os.PRIO_PROCESS, self.pid, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
        self._is_terminated = False
        self._ended = asyncio.Event()
        self._descriptor = os.pidfd_open(self.pid)
        asyncio.get_running_loop().add_reader(self._descriptor, self._reap)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal, unless the child has ended."""
        self._process.send_signal(number)

    def terminate(self) -> None:
        """Sends SIGTERM, once: for some processes a second one has another meaning."""
        if not self._is_terminated:
            self._is_terminated = True
            self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def close_stdin(self) -> None:
        """Closes the child's standard input."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def wait(self) -> int:
        """Waits for the child to end. Returns its exit status."""
        await self._ended.wait()
        return self._process.wait()

    def _reap(self) -> None:
        self._process.wait()
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        self.close_stdin()
        self._ended.set()
