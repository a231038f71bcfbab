"""An address that takes no connection and refuses none: a listening socket whose backlog is full."""

import socket
from contextlib import ExitStack
from pathlib import Path

_SYN_SENT = "02"


class BlackHole:
    """Listens at `port` and never accepts. `count_dials` is how many connections were tried while it was sampled."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._stack = ExitStack()
        self._dials: set[str] = set()
        self._own_ports: set[int] = set()

    def open(self) -> None:
        """Binds the port and fills the backlog."""
        listener = self._stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(0)
        for _ in range(4):
            filler = self._stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self._own_ports.add(filler.getsockname()[1])

    def close(self) -> None:
        """Frees the port."""
        self._stack.close()

    def sample(self) -> None:
        """Looks which connections are being tried now. Those of one second overlap: sample several times a second."""
        remote = f"0100007F:{self.port:04X}"
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, peer, state, *_ = line.split()
            is_own = int(local.rpartition(":")[2], 16) in self._own_ports
            if peer == remote and state == _SYN_SENT and not is_own:
                self._dials.add(local)

    def reset(self) -> None:
        """Forgets the connections that were seen."""
        self._dials.clear()

    @property
    def dials(self) -> int:
        """Number of different connections that were seen."""
        return len(self._dials)
