"""The gateway's listeners."""

import ipaddress
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from relay.infra.fair_semaphore import FairSemaphore
from relay.policy.quota.networks import get_network
from relay.policy.settings.model import GatewaySettings, Listener
from relay.runtime.processes.sockets import bind_socket, name_owner
from relay.runtime.wiring.gateway import Relay
from relay.wire.acceptor import AcceptorOptions, ConnectionAcceptor
from relay.wire.reader import ServerLimits
from relay.wire.server import ServerConnection
from relay.wire.tls.handshake_permits import HandshakePermits
from relay.wire.tls.handshake_turns import AT_ONCE, HandshakeTurns

_MAX_WAITING: Final = 1 << 20
"""More than can wait for a handshake: each waiting connection holds a descriptor."""


class GatewayListeners:
    """Opens, closes and aborts the gateway's listeners. `ports` are the open ports in the order of the settings.

    A worker gets its bound `sockets`, one for each listener of the settings.
    """

    def __init__(self, relay: Relay, sockets: Sequence[socket.socket] = ()) -> None:
        self._relay = relay
        self._sockets = sockets
        self._settings: GatewaySettings = relay.loaded.settings.gateway
        self._bound: list[socket.socket] = []
        self._entrances: list[ConnectionAcceptor] = []
        self._adopted: dict[int, list[ConnectionAcceptor]] = {}
        self._places = HandshakePermits(self._settings.limits.handshakes)
        turns = FairSemaphore(AT_ONCE, 1, _MAX_WAITING, _MAX_WAITING)
        self._turns = HandshakeTurns(turns, get_network, relay.loop)
        self.ports: list[int] = []
        self.aborted = False

    @property
    def is_bound(self) -> bool:
        """Whether the addresses were bound."""
        return bool(self._bound)

    def bind(self) -> None:
        """Binds every address; nothing listens yet. Raises OSError when one is taken."""
        with ExitStack() as guard:
            for index, listener in enumerate(self._settings.listeners):
                setting = f"gateway.listeners[{index}]"
                bound = self._sockets[index] if self._sockets else bind_socket(listener.address, listener.port, setting)
                self._bound.append(guard.enter_context(bound))
            guard.pop_all()  # every address is bound: keep the sockets

    def start(self) -> None:
        """Listens on every address. Raises OSError when one is taken."""
        if not self.is_bound:
            self.bind()
        for index, listener in enumerate(self._settings.listeners):
            self._entrances.append(self._build_entrance(index, listener, self._bound[index]))
        for index, entrance in enumerate(self._entrances):
            with name_owner(self._settings.listeners[index].address, entrance.port, f"gateway.listeners[{index}]"):
                entrance.open()
        self.ports = [entrance.port for entrance in self._entrances]

    async def stop_accepting(self) -> None:
        """Stops accepting connections. Open ones stay."""
        self.ports = []
        for slot in list(self._adopted):
            await self.release(slot)
        for entrance in self._entrances:
            await entrance.close()
        self.unbind()

    def unbind(self) -> None:
        """Closes the sockets of the addresses."""
        for bound in self._bound:
            bound.close()

    def adopt(self, slot: int, sockets: Sequence[socket.socket]) -> None:
        """Accepts connections also from the sockets of another worker slot, whose worker has ended."""
        if slot in self._adopted or not self.ports:
            return
        listeners = enumerate(self._settings.listeners)
        entrances = [self._build_entrance(index, listener, sockets[index].dup()) for index, listener in listeners]
        for entrance in entrances:
            entrance.open()
        self._adopted[slot] = entrances

    async def release(self, slot: int) -> None:
        """Leaves the sockets of another slot to its worker. Accepted connections stay."""
        for entrance in self._adopted.pop(slot, ()):
            await entrance.close()

    async def close(self) -> None:
        """Stops accepting connections and closes idle ones."""
        await self.stop_accepting()
        for connection in list(self._relay.connection_registry.connections):
            connection.close_when_idle()

    def has_unused_connections(self) -> bool:
        """Returns whether a connection has carried no call yet, or is in its handshake: its call may be in transit."""
        if any(entrance.has_handshakes for entrance in self._entrances):
            return True
        return not all(connection.has_served for connection in self._relay.connection_registry.connections)

    def abort(self) -> None:
        """Aborts every connection."""
        self.aborted = True
        for entrance in self._entrances:
            entrance.abort()
        for connection in list(self._relay.connection_registry.connections):
            connection.abort()

    def _build_entrance(self, index: int, listener: Listener, sock: socket.socket) -> ConnectionAcceptor:
        relay = self._relay
        limits = build_server_limits(self._settings)
        followed = relay.contexts.get(index)
        trusted = listener.proxy_protocol.trusted if listener.proxy_protocol.enabled else ()
        gate = AcceptorOptions(
            balancers=tuple(ipaddress.ip_network(network, strict=False) for network in trusted),
            context=followed.get_context if followed is not None else None,
            handshake_s=self._settings.timeouts.handshake_s,
            limits=relay.handshakes,
            permits=self._places,
            turns=self._turns,
        )
        return ConnectionAcceptor(
            sock,
            gate,
            lambda: ServerConnection(relay.gateway, limits, relay.watch, relay.loop),
            relay.connection_registry.log_rejected,
            relay.loop,
        )


def build_server_limits(settings: GatewaySettings) -> ServerLimits:
    """Returns the limits and timeouts of connections."""
    limits, timeouts = settings.limits, settings.timeouts
    return ServerLimits(
        head_bytes=limits.head_bytes,
        headers=limits.headers,
        body_bytes=limits.body_bytes,
        pipelined=limits.pipelined,
        head_s=timeouts.head_s,
        body_s=timeouts.body_s,
        idle_s=timeouts.idle_s,
    )
