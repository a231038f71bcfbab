"""A relay as a process of its own, with its log, health and metrics."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from fixtures.caller import Connection
from fixtures.gateway_environment import request
from fixtures.waiting import until
from harness import procfs

READY_S = 60.0
_READY = re.compile(r"gateway ready: ports=\[(\d+)\] admin_port=(\d+)")
_OTHERS = re.compile(r"(?:authority|jobs) ready")
_WORKER = re.compile(r"worker ready: pid=(\d+) .*worker=(\d)")
_TRACEBACK = "Traceback (most recent call last)"


class RelayProcess:
    """`relay serve` with one file of settings. `output` is its log so far; `prefix` are commands that run it."""

    def __init__(self, settings: Path, role: str = "gateway", prefix: Sequence[str] = (), **variables: str) -> None:
        self.settings = settings
        self.role = role
        self.prefix = prefix
        self.variables = variables
        self.output = ""
        self.port = self.admin_port = 0
        self.child: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The process id of the first process."""
        return self.child.pid

    async def start(self, *, wait: bool = True) -> None:
        """Starts the process, in a process group of its own, and waits until it is ready."""
        serve = [sys.executable, "-m", "relay", "serve", "--role", self.role, "--until-stdin-closes"]
        since = len(self.output)
        self.child = await asyncio.create_subprocess_exec(
            *self.prefix,
            *serve,
            "-c",
            str(self.settings),
            env={name: value for name, value in os.environ.items() if not name.startswith("RELAY__")} | self.variables,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read_output())
        if wait:
            await self.wait_until_ready(since)

    async def wait_until_ready(self, since: int = 0) -> None:
        """Waits for the line that says that it serves. Raises AssertionError with the log when it ends before."""
        pattern = _READY if self.role in {"gateway", "all"} else _OTHERS

        def find_ready() -> object:
            return pattern.search(self.output, since) or self.child.returncode is not None

        ready = await until(find_ready, f"the {self.role} being ready", READY_S)
        if ready is True:
            raise AssertionError(f"the {self.role} ended: {self.output[-2000:]}")
        if pattern is _READY:
            self.port, self.admin_port = map(int, ready.groups())

    async def _read_output(self) -> None:
        log = self.settings.with_suffix(f".{self.role}.output")
        with log.open("a") as copy:
            while line := await self.child.stderr.readline():
                self.output += line.decode(errors="replace")
                copy.write(line.decode(errors="replace"))
                copy.flush()

    # signals

    def kill(self) -> None:
        """Kills the first process."""
        self.child.kill()

    def hang_up(self) -> None:
        """Makes the relay reload its settings."""
        self.child.send_signal(signal.SIGHUP)

    def signal_all(self, number: signal.Signals) -> None:
        """Sends a signal to the process and its descendants, these first, as systemd may (KillMode=control-group)."""
        for pid in reversed(procfs.tree(self.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def wait_ended(self, timeout_s: float = 40.0) -> int:
        """Returns the exit status."""
        async with asyncio.timeout(timeout_s):
            await self._reading
            return await self.child.wait()

    async def stop(self) -> None:
        """Terminates the process; kills it after 20 seconds."""
        if self.child is None or self.child.returncode is not None:
            return
        self.child.terminate()
        with contextlib.suppress(ProcessLookupError):
            try:
                await self.wait_ended(20.0)
            except TimeoutError:
                self.child.kill()
                await self.child.wait()

    # what it shows

    def get_workers(self) -> dict[int, int]:
        """Returns the process ids of the last started workers by slot."""
        return {int(slot): int(pid) for pid, slot in _WORKER.findall(self.output)}

    def find_children(self) -> dict[str, int]:
        """Returns the process ids of children by role, as their command lines have it."""
        children = {}
        for child in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
            words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
            if "--role" in words:
                children[words[words.index("--role") + 1]] = int(child)
        return children

    def count_lines(self, text: str) -> int:
        """Returns how many lines of the log have this text."""
        return sum(text in line for line in self.output.splitlines())

    @property
    def has_traceback(self) -> bool:
        """Whether the log has the traceback of a bug."""
        return _TRACEBACK in self.output

    async def admin(self, path: str) -> tuple[int, str]:
        """Makes a GET on the admin port. Returns status and text."""
        async with await Connection.open(self.admin_port, None) as connection:
            answer = await connection.call(request("GET", path, {"Host": "admin.test"}))
            return answer.status, answer.body.decode()

    async def read_metrics(self) -> dict[str, float]:
        """Returns the metrics by name with labels."""
        lines = (await self.admin("/metrics"))[1].splitlines()
        return {name: float(figure) for name, _, figure in (line.rpartition(" ") for line in lines) if name[:1] != "#"}

    async def wait_for_metric(self, name: str, check, timeout_s: float = 20.0) -> float:
        """Returns the value of a metric once `check(value)` is true; NaN when it was not true in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not check(value := (await self.read_metrics()).get(name, float("nan"))):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            return float("nan")
        return value
