"""The gateway's listeners."""

import asyncio
import socket

from relay.policy.settings import GatewaySettings, Listener
from relay.runtime.assembly import Relay
from relay.wire.proxy_protocol import ProxyGreeting
from relay.wire.reader import ServerLimits
from relay.wire.server import ServerConnection

_BACKLOG = 1024


class Listening:
    """Opens, closes and aborts the listeners of a relay. `ports` are those that are open, in the settings' order."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._settings: GatewaySettings = relay.loaded.settings.gateway
        self._servers: list[asyncio.Server] = []
        self.ports: list[int] = []
        self.aborted = False

    async def start(self) -> None:
        """Listen on every address. Raises OSError when one is taken."""
        for index, listener in enumerate(self._settings.listeners):
            server = await self._listen(index, listener)
            self._servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Take no new connections and let idle ones go."""
        for server in self._servers:
            server.close()
        self.ports = []
        for connection in list(self._relay.welcome.connections):
            connection.close_when_idle()

    def abort(self) -> None:
        """Cut every connection."""
        self.aborted = True
        for connection in list(self._relay.welcome.connections):
            connection.abort()

    async def _listen(self, index: int, listener: Listener) -> asyncio.Server:
        relay, timeouts = self._relay, self._settings.timeouts
        limits = _limits(self._settings)
        followed = relay.contexts.get(index)
        context = followed.listening if followed is not None else None

        def connection() -> ServerConnection:
            return ServerConnection(relay.gateway, limits, relay.watch, relay.loop)

        bound = _bound(listener)
        if listener.proxy_protocol.enabled:
            trusted = listener.proxy_protocol.trusted
            return await relay.loop.create_server(
                lambda: ProxyGreeting(connection, trusted, context, timeouts.handshake_s, relay.watch, relay.loop),
                sock=bound,
                backlog=_BACKLOG,
            )
        handshake = timeouts.handshake_s if context is not None else None
        return await relay.loop.create_server(
            connection, sock=bound, ssl=context, backlog=_BACKLOG, ssl_handshake_timeout=handshake
        )


def _bound(listener: Listener) -> socket.socket:
    family = socket.AF_INET6 if ":" in listener.address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((listener.address, listener.port))
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


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
