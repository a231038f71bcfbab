"""A private HAProxy in TCP mode that balances gateways: PROXY v2, health checks on their admin ports."""

import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

PROGRAM: Final = "/usr/sbin/haproxy"
STARTS_S: Final = 20.0
CHECK_S: Final = 0.2
"""Interval of the health checks; the first failed one takes a gateway out of the balance."""

_LOOKS_S: Final = 0.01
_CONFIG: Final = """\
global
    maxconn 4000
defaults
    mode tcp
    timeout connect 2s
    timeout client 90s
    timeout server 90s
    timeout check 2s
    retries 3
    option redispatch 1
frontend operators
    bind 127.0.0.1:{port}
    default_backend gateways
backend gateways
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
    default-server send-proxy-v2 check inter {check_ms} fall 1 rise 1
{servers}
"""


class HaProxy:
    """Debian's HAProxy in front of gateways, each given as the port of its listener and its admin port."""

    def __init__(self, folder: Path, port: int, gateways: Sequence[tuple[int, int]]) -> None:
        self.port = port
        self._file = folder / "haproxy.cfg"
        self._log = folder / "haproxy.log"
        servers = (
            f"    server gateway{number} 127.0.0.1:{listener} port {admin}"
            for number, (listener, admin) in enumerate(gateways, 1)
        )
        values = {"port": port, "check_ms": round(CHECK_S * 1000), "servers": "\n".join(servers)}
        self._file.write_text(_CONFIG.format(**values))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it accepts. Raises AssertionError with its log."""
        with self._log.open("wb") as log:
            command = [PROGRAM, "-db", "-f", self._file]  # -db: it stays in the foreground
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        ends = time.monotonic() + STARTS_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > ends:
                raise AssertionError(self._log.read_text())
            time.sleep(_LOOKS_S)

    def stop(self) -> None:
        """Stops it at once if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True
