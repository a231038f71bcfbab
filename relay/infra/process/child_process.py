"""A child process that the event loop waits for: started with SIGHUP held back until the child takes it."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Final

_HANGUP: Final = (signal.SIGHUP,)


class ChildProcess:
    """A running child. Its standard input is a pipe that the kernel closes when this process ends.

    Not `asyncio.create_subprocess_exec`: under uvloop it resets the child's signals, and a SIGHUP sent before the child
    has a handler would end it. Here the child inherits SIGHUP blocked, and gets it when it unblocks it.
    """

    def __init__(self, command: Sequence[str], niceness: int = 0) -> None:
        """Start the command in a session of its own, by `niceness` nicer than this process. Raises OSError."""
        former = signal.pthread_sigmask(signal.SIG_BLOCK, _HANGUP)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                command, stdin=subprocess.PIPE, start_new_session=True
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
        if niceness:  # of the child's only thread yet; those to come inherit it
            os.setpriority(os.PRIO_PROCESS, self.pid, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
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
        """Send a signal, unless the child has ended."""
        self._process.send_signal(number)

    def terminate(self) -> None:
        """Tell the child to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the child."""
        self.send_signal(signal.SIGKILL)

    def close_stdin(self) -> None:
        """Close the child's standard input."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def wait(self) -> int:
        """Wait for the child's end. Returns its exit status."""
        await self._ended.wait()
        return self._process.wait()

    def _reap(self) -> None:
        self._process.wait()
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        self.close_stdin()
        self._ended.set()
