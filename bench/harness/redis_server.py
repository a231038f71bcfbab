"""A private Redis server for tests, on a unix socket, without persistence."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

PROGRAM: Final = "/usr/bin/redis-server"
STARTS_S: Final = 20.0
_LOOKS_S: Final = 0.01


class RedisServer:
    """Debian's Redis in a private folder. It is empty after a restart: it writes nothing to disk."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))  # short: a socket's path has 107 characters at most
        self.socket = self._folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL for settings."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Starts the server. Raises AssertionError with its log."""
        command = [PROGRAM, "--port", "0", "--unixsocket", self.socket, "--save", "", "--appendonly", "no"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--dir", self._folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        ends = time.monotonic() + STARTS_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > ends:
                raise AssertionError((self._folder / "log").read_text())
            time.sleep(_LOOKS_S)

    def kill(self) -> None:
        """Kills the server, as a power failure does."""
        self._end(signal.SIGKILL)
        self.socket.unlink()  # a killed server leaves it behind

    def pause(self) -> None:
        """Stops the process with SIGSTOP: it accepts commands and answers none."""
        self._running().send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Continues a paused server."""
        self._running().send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stops the server if it runs, and removes its folder."""
        if self._process is not None:
            self._end(signal.SIGKILL)
        shutil.rmtree(self._folder)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._running(), None
        process.send_signal(how)
        process.wait()

    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "it does not run"
        return self._process

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
            except OSError:
                return False
