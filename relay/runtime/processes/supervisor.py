"""Supervises authority and jobs as child processes of the gateway: starts, restarts and stops them."""

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Final

from relay.infra.authority.unix_listener import get_listening_pid
from relay.infra.process.child_process import ChildProcess

_log = logging.getLogger(__name__)

READY_S: Final = 30.0
STOP_S: Final = 10.0
NICENESS: Final = 10
"""The gateway has priority where cores are few: signatures and password hashes take whole cores."""
_POLL_S: Final = 0.05
_LONG_S: Final = 10.0
_WAITS_S: Final = (0.2, 1.0, 3.0, 10.0)
"""Seconds before each restart; the last value repeats. A process that lived `_LONG_S` starts with the first again."""


class ChildDied(Exception):
    """A child process ended before it was ready, or was not ready in time; its own log lines say why."""


class Supervisor:
    """Runs one child process of another role with the same settings.

    `path` is the socket on which the child listens when it is ready, "" for a role without one. Only the started
    process counts: a former one may still listen there.
    """

    def __init__(self, config: Path, path: str, log_level: str, role: str = "authority") -> None:
        self._role = role
        self._command = (
            *(sys.executable, "-m", "relay", "serve", "--role", role, "--until-stdin-closes"),
            *("--log-level", log_level, "-c", str(config)),
        )
        self._path = path
        self._process: ChildProcess | None = None
        self._watching: asyncio.Task[None] | None = None
        self.restarts = 0

    async def start(self) -> None:
        """Starts the process."""
        self._process = self._spawn()

    async def wait_until_ready(self) -> None:
        """Waits until the process listens, then restarts it whenever it ends. Raises ChildDied."""
        process = self._process
        if process is None:
            raise ChildDied(f"the {self._role} process was not started")
        try:
            async with asyncio.timeout(READY_S):
                while self._path and get_listening_pid(self._path) != process.pid:
                    if process.returncode is not None:
                        raise ChildDied(f"the {self._role} process ended with status {process.returncode}")
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as error:
            await self.stop()
            raise ChildDied(f"the {self._role} process was not ready within {READY_S:.0f} s") from error
        self._watching = asyncio.create_task(self._watch(process))

    def send_sighup(self) -> None:
        """Makes the process reload its settings."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        """Stops the process; kills it after STOP_S."""
        if self._watching is not None:
            self._watching.cancel()
        if self._process is not None:
            await stop_process(self._process, STOP_S)

    def _spawn(self) -> ChildProcess:
        """Starts a process in its own session: Ctrl-C must not reach it while calls in flight need it."""
        return ChildProcess(self._command, NICENESS)

    async def _watch(self, process: ChildProcess) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            started_at = loop.time()
            status = await process.wait()
            failures = 0 if loop.time() - started_at > _LONG_S else failures
            wait_s = _WAITS_S[min(failures, len(_WAITS_S) - 1)]
            _log.error("child process ended: role=%s status=%s restart_in_s=%.1f", self._role, status, wait_s)
            await asyncio.sleep(wait_s)
            failures += 1
            try:
                self._process = process = self._spawn()
            except OSError as error:  # the machine lacks a resource; the next round tries again
                _log.error("child process could not be started: role=%s error=%s", self._role, error.strerror)
            else:
                self.restarts += 1


async def stop_process(process: ChildProcess | asyncio.subprocess.Process, timeout_s: float) -> None:
    """Terminates a process and kills it after `timeout_s`. Does nothing when it ended already."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), timeout_s)
    except TimeoutError:
        process.kill()
        await process.wait()
