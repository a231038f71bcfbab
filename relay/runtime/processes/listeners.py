"""The gateway's listeners."""

import ipaddress
import socket
from contextlib import ExitStack
from typing import Final

from relay.gateway.handshake_limits import get_network
from relay.infra.fair_semaphore import FairSemaphore
from relay.policy.settings.model import GatewaySettings, Listener
from relay.runtime.processes.sockets import bind_socket
from relay.runtime.wiring.gateway import Relay
from relay.wire.acceptor import AcceptorOptions, ConnectionAcceptor
from relay.wire.handshake_slots import HandshakeSlots
from relay.wire.handshake_turns import AT_ONCE, HandshakeTurns
from relay.wire.reader import ServerLimits
from relay.wire.server import ServerConnection

_WAITING_MOST: Final = 1 << 20
"""More than can wait for a handshake: each waiting connection holds a descriptor."""


class GatewayListeners:
    """Opens, closes and aborts the gateway's listeners. `ports` are the open ports in the order of the settings."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._settings: GatewaySettings = relay.loaded.settings.gateway
        self._entrances: list[ConnectionAcceptor] = []
        self._places = HandshakeSlots(self._settings.limits.handshakes)
        turns = FairSemaphore(AT_ONCE, 1, _WAITING_MOST, _WAITING_MOST)
        self._turns = HandshakeTurns(turns, get_network, relay.loop)
        self.ports: list[int] = []
        self.aborted = False

    def start(self) -> None:
        """Listens on every address. Raises OSError when one is taken."""
        with ExitStack() as guard:
            for index, listener in enumerate(self._settings.listeners):
                sock = guard.enter_context(bind_socket(listener.address, listener.port))
                self._entrances.append(self._build_entrance(index, listener, sock))
            guard.pop_all()  # every address is bound: keep the sockets
        for entrance in self._entrances:
            entrance.open()
        self.ports = [entrance.port for entrance in self._entrances]

    async def close(self) -> None:
        """Stops accepting connections and closes idle ones."""
        self.ports = []
        for entrance in self._entrances:
            await entrance.close()
        for connection in list(self._relay.connection_registry.connections):
            connection.close_when_idle()

    def has_unused_connections(self) -> bool:
        """Returns whether a connection has carried no call yet: its first call may be in transit."""
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
        limits = _limits(self._settings)
        followed = relay.contexts.get(index)
        trusted = listener.proxy_protocol.trusted if listener.proxy_protocol.enabled else ()
        gate = AcceptorOptions(
            balancers=tuple(ipaddress.ip_network(network, strict=False) for network in trusted),
            context=followed.get_context if followed is not None else None,
            handshake_s=self._settings.timeouts.handshake_s,
            limits=relay.handshakes,
            slots=self._places,
            turns=self._turns,
        )
        return ConnectionAcceptor(
            sock,
            gate,
            lambda: ServerConnection(relay.gateway, limits, relay.watch, relay.loop),
            relay.connection_registry.log_rejected,
            relay.loop,
        )


def _limits(settings: GatewaySettings) -> ServerLimits:
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
