"""A Redis server of one's own, for tests: on a unix socket nobody else knows, keeping nothing, gone afterwards."""

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
    """Debian's Redis in a folder of its own. Stopped and started again it is empty: nothing of it reaches a disk."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))  # short: a socket's path has 107 characters at most
        self.socket = self._folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, as settings name it."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Serve, empty. Raises AssertionError with what the program said."""
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
        """End it at once, as a machine ends."""
        self._end(signal.SIGKILL)
        self.socket.unlink()  # a killed one leaves it behind

    def pause(self) -> None:
        """Let it take questions and answer none."""
        self._running().send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self._running().send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop it, if it runs, and leave nothing behind."""
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
        with socket.socket(socket.AF_UNIX) as line:
            try:
                line.connect(str(self.socket))
                line.sendall(b"PING\r\n")
                return line.recv(7) == b"+PONG\r\n"
            except OSError:
                return False
