"""Authority and jobs beside the gateway on one machine: started first, started again when they end, stopped last."""

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Final

from relay.infra.authority.unix_listener import listening_pid
from relay.infra.process.child_process import ChildProcess

_log = logging.getLogger(__name__)

READY_S: Final = 30.0
STOP_S: Final = 10.0
NICENESS: Final = 10
"""The gateway's calls come first where cores are few: signatures and hashes of passwords take whole cores."""
_POLL_S: Final = 0.05
_LONG_S: Final = 10.0
_WAITS_S: Final = (0.2, 1.0, 3.0, 10.0)
"""How long is waited before the next start, the last for ever; a process that lived `_LONG_S` begins anew."""


class AuthorityDied(Exception):
    """The authority did not come up; what it said stands above."""


class Attendant:
    """Looks after one process of another role with the same settings.

    `path` is the socket on which it listens when it is ready; "" for a role that is not waited for. Only the process
    that was started counts: one that is left over from before may listen there still.
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

    async def begin(self) -> None:
        """Start it."""
        self._process = self._started()

    async def ready(self) -> None:
        """Wait until it answers, if it ever does; from then on it is watched. Raises AuthorityDied."""
        process = self._process
        if process is None:
            raise AuthorityDied("the authority was not started")
        try:
            async with asyncio.timeout(READY_S):
                while self._path and listening_pid(self._path) != process.pid:
                    if process.returncode is not None:
                        raise AuthorityDied(f"the authority ended with status {process.returncode}")
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as error:
            await self.stop()
            raise AuthorityDied(f"the authority was not ready within {READY_S:.0f} s") from error
        self._watching = asyncio.create_task(self._watch(process))

    def hang_up(self) -> None:
        """Let it take its settings anew."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        """Stop it; after a while, kill it."""
        if self._watching is not None:
            self._watching.cancel()
        if self._process is not None:
            await stopped(self._process, STOP_S)

    def _started(self) -> ChildProcess:
        """A process in a session of its own: a Ctrl-C of the terminal is ours, calls in flight still need it."""
        return ChildProcess(self._command, NICENESS)

    async def _watch(self, process: ChildProcess) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            status = await process.wait()
            failures = 0 if loop.time() - began > _LONG_S else failures
            wait = _WAITS_S[min(failures, len(_WAITS_S) - 1)]
            _log.error("%s ended with status %s; starting it again in %.1f s", self._role, status, wait)
            await asyncio.sleep(wait)
            failures += 1
            try:
                self._process = process = self._started()
            except OSError as error:  # the machine is short of something; the next round comes
                _log.error("%s could not be started: %s", self._role, error.strerror)
            else:
                self.restarts += 1


async def stopped(process: ChildProcess | asyncio.subprocess.Process, patience_s: float) -> None:
    """Stop a process we started; after so long, kill it. One that ended already is left alone."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), patience_s)
    except TimeoutError:
        process.kill()
        await process.wait()
