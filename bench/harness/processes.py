"""Starts processes pinned to a core and with a log, and ends each by its pid."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from harness import procfs

LEAST_SEPARATE: Final = 2
"""Up to so many cores, a gateway with several processes shares that of the load."""


START_S: Final = 90.0
"""How long a process may take until it accepts; a relay reads its libraries in two seconds, on a busy machine in 30."""


class NotStarted(Exception):
    """A process ended, or did not listen in time; the text holds the end of its log."""


def cores() -> tuple[int, int]:
    """Returns the core of the gateway and that of load and upstream; the same where there is only one."""
    free = sorted(os.sched_getaffinity(0))
    return free[0], free[-1]


def gateway_cores() -> str:
    """Returns the cores of a gateway with several processes: all but that of the load; on two cores both."""
    free = sorted(os.sched_getaffinity(0))
    return ",".join(map(str, free if len(free) <= LEAST_SEPARATE else free[:-1]))


def pinned(core: int | str, argv: list[str]) -> list[str]:
    """Returns the command pinned to a core, or to several (`0,1`); the kernel terminates it when this process ends."""
    return ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(core), *argv]


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Terminates a process, kills it after five seconds, and kills its children."""
    if process.poll() is not None:
        return
    children = []  # pidfds, because a pid may be reused
    for pid in procfs.tree(process.pid)[1:]:
        with suppress(ProcessLookupError):
            children.append(os.pidfd_open(pid))
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
    for child in children:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(child, signal.SIGKILL)
        os.close(child)


@contextmanager
def running(
    argv: list[str], core: int | str, ports: list[int], log: Path, cwd: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a process that accepts on all its ports, until the block ends."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(pinned(core, argv), stdout=out, stderr=subprocess.STDOUT, cwd=cwd)
        try:
            give_up = time.monotonic() + START_S
            waiting = list(ports)
            while waiting:
                waiting = [port for port in waiting if not _accepts(port)]
                if process.poll() is not None or time.monotonic() > give_up:
                    raise NotStarted(f"{' '.join(argv)}\n{log.read_text(errors='replace')[-3000:]}")
                time.sleep(0.05)
            yield process
        finally:
            _stop(process)
