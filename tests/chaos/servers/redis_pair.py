"""A Redis, its replica and a Sentinel that promotes the replica, on loopback."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from harness.layout import free_ports
from harness.redis_server import PROGRAM

MASTER = "relay"
START_S = 20.0
DOWN_MS = 1000
"""Silence after which the Sentinel promotes the replica."""


class RedisPair:
    """Two servers and one Sentinel. `url` names the Sentinel."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.primary, self.replica, self.sentinel = free_ports(3)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.url = f"redis+sentinel://127.0.0.1:{self.sentinel}/{MASTER}"

    def start(self) -> None:
        """Starts all and waits until the Sentinel knows the replica. Raises AssertionError."""
        self._start_server(self.primary)
        self._start_server(self.replica, "--replicaof", "127.0.0.1", str(self.primary))
        self._wait("the replica", lambda: "master_link_status:up" in self._run(self.replica, "INFO", "replication"))
        config = self._folder / "sentinel.conf"
        config.write_text(
            f"port {self.sentinel}\nbind 127.0.0.1\ndir {self._folder}\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {self.primary} 1\n"
            f"sentinel down-after-milliseconds {MASTER} {DOWN_MS}\nsentinel failover-timeout {MASTER} 3000\n"
        )
        self._start(self.sentinel, PROGRAM, str(config), "--sentinel")
        self._wait("the Sentinel", lambda: "slaves=1" in self._run(self.sentinel, "INFO", "sentinel"))

    def kill_primary(self) -> None:
        """Kills the server that the Sentinel named first."""
        self._processes.pop(self.primary).kill()

    def get_current(self) -> int:
        """Returns the port of the server that the Sentinel names."""
        lines = self._run(self.sentinel, "SENTINEL", "get-master-addr-by-name", MASTER).split()
        return int(lines[-1]) if lines else 0

    def stop(self) -> None:
        """Stops all and removes their folder."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self._folder)

    def _start_server(self, port: int, *words: str) -> None:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        options += ["--repl-diskless-sync-delay", "0", "--dir", str(self._folder)]
        self._start(port, PROGRAM, *options, *words)
        self._wait(f"the server at {port}", lambda: self._run(port, "PING").strip() == "PONG")

    def _start(self, port: int, *command: str) -> None:
        with (self._folder / f"{port}.log").open("wb") as log:
            self._processes[port] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _run(self, port: int, *words: str) -> str:
        command = ["redis-cli", "-h", "127.0.0.1", "-p", str(port), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout

    def _wait(self, name: str, check) -> None:
        ends = time.monotonic() + START_S
        while not check():
            if time.monotonic() > ends:
                logs = "".join(log.read_text()[-1000:] for log in self._folder.glob("*.log"))
                raise AssertionError(f"{name} was not ready in {START_S} s: {logs}")
            time.sleep(0.05)
