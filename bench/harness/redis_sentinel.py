"""A Redis with a replica and a Sentinel that promotes it, on loopback ports, for tests."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from harness.redis_server import PROGRAM, STARTS_S

MASTER: Final = "quotas"
_DOWN_MS: Final = 300
_LOOKS_S: Final = 0.02


class RedisWithSentinel:
    """Two Redis servers and a Sentinel. `kill_master` ends the master; the Sentinel promotes the other server."""

    def __init__(self, ports: tuple[int, int, int]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="sentinel-"))
        self._servers, self._sentinel = ports[:2], ports[2]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """The URL for settings."""
        return f"redis+sentinel://127.0.0.1:{self._sentinel}/{MASTER}"

    def start(self) -> None:
        """Starts all three and waits until the Sentinel knows the replica."""
        master, replica = self._servers
        self._run(master, "--save", "", "--appendonly", "no")
        self._run(replica, "--save", "", "--appendonly", "no", "--replicaof", "127.0.0.1", str(master))
        lines = (
            f"sentinel monitor {MASTER} 127.0.0.1 {master} 1",
            f"sentinel down-after-milliseconds {MASTER} {_DOWN_MS}",
            f"sentinel failover-timeout {MASTER} 2000",
        )
        file = self._folder / "sentinel.conf"
        file.write_text("\n".join((*lines, "")), encoding="utf-8")
        self._run(self._sentinel, str(file), "--sentinel")
        self._wait_for(self._sentinel, f"sentinel replicas {MASTER}", str(replica).encode())
        self._wait_for(replica, "info replication", b"master_link_status:up")

    def kill_master(self) -> None:
        """Kills the master, as a power failure does."""
        self._end(self._servers[0])

    def wait_for_promotion(self) -> None:
        """Waits until the replica has become the master."""
        self._wait_for(self._servers[1], "info replication", b"role:master")

    def stop(self) -> None:
        """Stops what runs, and removes the folder."""
        for port in tuple(self._processes):
            self._end(port)
        shutil.rmtree(self._folder)

    def _run(self, port: int, *options: str) -> None:
        files = [options[0]] if options[-1] == "--sentinel" else []
        flags = [option for option in options if option not in files]
        folder = self._folder / str(port)
        folder.mkdir()
        command = [PROGRAM, *files, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *flags]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._processes[port] = process
        self._wait_for(port, "ping", b"+PONG")

    def _wait_for(self, port: int, command: str, reply: bytes) -> None:
        """Waits until a server replies to a command with these bytes. Raises AssertionError with its log."""
        ends = time.monotonic() + STARTS_S
        while reply not in _ask(port, command):
            if time.monotonic() > ends:
                raise AssertionError((self._folder / str(port) / "log").read_text(encoding="utf-8"))
            time.sleep(_LOOKS_S)

    def _end(self, port: int) -> None:
        process = self._processes.pop(port)
        process.send_signal(signal.SIGKILL)
        process.wait()


def _ask(port: int, command: str) -> bytes:
    """Returns the first bytes of the reply, b"" if there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(command.encode() + b"\r\n")
            return connection.recv(65536)
    except OSError:
        return b""
