"""Supervises child processes of the gateway: authority, jobs, adapter, workers."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from relay.infra.authority.unix_listener import get_listening_pid
from relay.infra.process.child_process import ChildProcess
from relay.policy.settings.stop_time import CHILDREN_S

_log = logging.getLogger(__name__)

READY_S: Final = 30.0
STOP_S: Final = CHILDREN_S
NICENESS: Final = 10
"""The gateway has priority where cores are few: signatures and password hashes take whole cores."""
ADAPTER_NICENESS: Final = 5
"""The adapter serves data calls: it goes before authority and jobs, and after the gateway."""
_POLL_S: Final = 0.05
STABLE_AFTER_S: Final = 10.0
RESTART_WAITS_S: Final = (0.2, 1.0, 3.0, 10.0)
"""Seconds before each restart; the last repeats. A process that ran for `STABLE_AFTER_S` starts with the first."""


class ChildNotReady(Exception):
    """A child process was not started, ended before it was ready, or was not ready in time.

    The log lines of the child say why.
    """


def build_command(role: str, config: Path, log_level: str) -> Sequence[str]:
    """Returns the command that runs a role alone, until its standard input closes."""
    serve = (sys.executable, "-m", "relay", "serve", "--role", role, "--until-stdin-closes")
    return (*serve, "--log-level", log_level, "-c", str(config))


class Supervisor:
    """Runs the child process of a role.

    `path` is the socket on which the child listens when it is ready, "" for a role without one. Only the started
    process counts: a former one may still listen there. `process` is the running or last process.

    `spawn` starts a process; by default it runs the command. `is_ready` returns whether a process is ready; by default
    it is ready when it listens on `path`. A process that is to stop is killed after `stop_s`, by default STOP_S.
    `niceness` lowers the priority of a command.
    """

    def __init__(
        self,
        role: str,
        command: Sequence[str],
        path: str = "",
        *,
        spawn: Callable[[], ChildProcess] | None = None,
        is_ready: Callable[[ChildProcess], bool] | None = None,
        stop_s: float | None = None,
        niceness: int = NICENESS,
    ) -> None:
        self._role = role
        self._niceness = niceness
        self._command = command
        self._path = path
        self._spawn = spawn or self._run_command
        self._is_ready = is_ready or self._is_listening
        self._stop_s = STOP_S if stop_s is None else stop_s
        self.process: ChildProcess | None = None
        self._watching: asyncio.Task[None] | None = None
        self.restarts = 0

    async def start(self) -> None:
        """Starts the process."""
        self.process = self._spawn()

    async def wait_until_ready(self) -> None:
        """Waits until the process is ready. Stops it and raises ChildNotReady when it is not."""
        if self.process is None:
            raise ChildNotReady(f"the {self._role} process was not started")
        await self._wait_until_ready(self.process)

    async def replace(self, retire: Callable[[ChildProcess], object]) -> None:
        """Starts a successor, waits until it is ready, then retires and stops the former process.

        Raises ChildNotReady or OSError when the successor cannot serve; the former process stays.
        """
        successor = self._spawn()
        try:
            await self._wait_until_ready(successor)
        except BaseException:
            await stop_process(successor, self._stop_s)
            raise
        if self._watching is not None:
            self._watching.cancel()
        former, self.process = self.process, successor  # the former may have been restarted meanwhile
        self.keep_running()
        if former is not None:
            retire(former)
            await stop_process(former, self._stop_s)

    def keep_running(self) -> None:
        """Restarts the started process from now on whenever it ends."""
        if self.process is not None:
            self._watching = asyncio.create_task(self._watch(self.process))

    def let_end(self) -> None:
        """Does not restart the process any more."""
        if self._watching is not None:
            self._watching.cancel()

    def send_sighup(self) -> None:
        """Makes the process reload its settings."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        """Stops the process; kills it after `stop_s`."""
        self.let_end()
        if self.process is not None:
            await stop_process(self.process, self._stop_s)

    def kill(self) -> None:
        """Kills the process."""
        if self.process is not None:
            self.process.kill()

    async def _wait_until_ready(self, process: ChildProcess) -> None:
        try:
            async with asyncio.timeout(READY_S):
                while not self._is_ready(process):
                    if process.returncode is not None:
                        raise ChildNotReady(f"the {self._role} process ended with status {process.returncode}")
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as error:
            await stop_process(process, self._stop_s)
            raise ChildNotReady(f"the {self._role} process was not ready within {READY_S:.0f} s") from error

    def _is_listening(self, process: ChildProcess) -> bool:
        return not self._path or get_listening_pid(self._path) == process.pid

    def _run_command(self) -> ChildProcess:
        """Starts a process in its own session: Ctrl-C must not reach it while calls in flight need it."""
        return ChildProcess(self._command, self._niceness)

    def start_when_possible(self) -> None:
        """Starts the process, again while the machine lacks a resource, and keeps it running."""
        self._watching = asyncio.create_task(self._start_and_watch())

    async def _start_and_watch(self) -> None:
        process, _ = await self._spawn_again(0)
        await self._watch(process)

    async def _watch(self, process: ChildProcess) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            started_at = loop.time()
            status = await process.wait()
            failures = 0 if loop.time() - started_at > STABLE_AFTER_S else failures
            wait_s = _get_restart_wait_s(failures)
            _log.error("child process ended: role=%s status=%s restart_in_s=%.1f", self._role, status, wait_s)
            await asyncio.sleep(wait_s)
            process, failures = await self._spawn_again(failures + 1)
            self.restarts += 1

    async def _spawn_again(self, failures: int) -> tuple[ChildProcess, int]:
        """Starts a process; repeats it while the machine lacks a resource. Returns it and the failures."""
        while True:
            try:
                self.process = process = self._spawn()
            except OSError as error:
                wait_s = _get_restart_wait_s(failures)
                _log.error(
                    "child process could not be started: role=%s error=%s restart_in_s=%.1f",
                    self._role,
                    error.strerror,
                    wait_s,
                )
                await asyncio.sleep(wait_s)
                failures += 1
            else:
                return process, failures


def _get_restart_wait_s(failures: int) -> float:
    return RESTART_WAITS_S[min(failures, len(RESTART_WAITS_S) - 1)]


async def stop_process(process: ChildProcess, timeout_s: float) -> None:
    """Terminates a process and kills it after `timeout_s`. Does nothing when it ended already.

    Authority and jobs defer SIGTERM while their parent lives: the end of their standard input stops them.
    """
    if process.returncode is not None:
        return
    process.close_stdin()
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), timeout_s)
    except TimeoutError:
        process.kill()
        await process.wait()
