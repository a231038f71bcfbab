"""Accepts the lines that a core opens itself."""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Sequence
from typing import Final

from relay.infra.diagnostics.outages import OutageLog
from relay.policy.settings.core import split_address
from relay.primitives.log_throttle import LogThrottle

_log = logging.getLogger(__name__)

BIND_AGAIN_S: Final = 0.5
"""Seconds before a taken address is tried again: a former adapter may still be stopping."""

_BACKLOG: Final = 16
_MAX_WAITING: Final = 4
"""Accepted connections beyond the lines in use: the core may open a new line before it closes the former one."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Acceptor:
    """Listens on one address for connections from `peers`; all others are closed at once.

    `run` accepts until it is cancelled, `take` returns the next connection.
    """

    def __init__(self, org_code: str, address: str, peers: Sequence[str]) -> None:
        self._org_code = org_code
        self._host, self._port = split_address(address)
        self._peers: list[Network] = [ipaddress.ip_network(peer, strict=False) for peer in peers]
        self._accepted: asyncio.Queue[socket.socket] = asyncio.Queue(_MAX_WAITING)
        self._throttle = LogThrottle()
        self._outage = OutageLog(f"core.listen: org_code={org_code}")

    async def take(self) -> socket.socket:
        """Returns the next accepted connection."""
        return await self._accepted.get()

    async def run(self) -> None:
        """Accepts connections until cancelled."""
        loop = asyncio.get_running_loop()
        listening = await self._listen()
        try:
            while True:
                try:
                    connected, peer = await loop.sock_accept(listening)
                except OSError as error:  # no descriptor, or a connection that has ended already
                    self._log_refused(error.strerror or "error")
                    await asyncio.sleep(BIND_AGAIN_S)
                    continue
                self._admit(connected, peer[0])
        finally:
            listening.close()
            while not self._accepted.empty():
                self._accepted.get_nowait().close()

    async def _listen(self) -> socket.socket:
        """Returns a listening socket; tries again while the address is taken."""
        while True:
            try:
                listening = self._bind()
            except OSError as error:
                self._outage.record_failure(f'"{error.strerror or error}"')
                await asyncio.sleep(BIND_AGAIN_S)
            else:
                self._outage.record_success()
                return listening

    def _bind(self) -> socket.socket:
        listening = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self._host, self._port))
            listening.listen(_BACKLOG)
        except BaseException:
            listening.close()
            raise
        listening.setblocking(False)
        return listening

    def _admit(self, connected: socket.socket, host: str) -> None:
        """Keeps a connection of a peer for a line; closes all others."""
        address = ipaddress.ip_address(host.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        if not any(address in network for network in self._peers):
            self._log_refused("not in core.peers")
        elif self._accepted.full():
            self._log_refused("more than core.lines")
        else:
            self._accepted.put_nowait(connected)
            return
        connected.close()

    def _log_refused(self, reason: str) -> None:
        count = self._throttle.count_event(reason, asyncio.get_running_loop().time())
        if count:
            _log.warning('line of a core refused: org_code=%s reason="%s" count=%d', self._org_code, reason, count)
