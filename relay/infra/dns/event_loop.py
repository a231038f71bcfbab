"""The event loop of the relay's processes: uvloop, with host names resolved by c-ares instead of a thread pool."""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import aiodns
import uvloop

from relay.infra.dns.address_cache import AddressCache, Answer
from relay.infra.dns.opening import open_socket

TRY_S: Final = 2.0
"""So long one name server has for the first answer; c-ares doubles it in each further round."""

TRIES: Final = 2
"""Rounds over all name servers."""

LOOK_UP_S: Final = 10.0
"""A look-up that takes longer has failed."""

_NO_ADDRESS: Final = frozenset({aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA, aiodns.error.ARES_EBADNAME})


class ResolvingLoop(uvloop.Loop):
    """A uvloop loop on which a name that does not resolve delays its own connections only.

    `getaddrinfo` of libuv runs in a small thread pool that all names share: look-ups that hang keep every thread, also
    after their callers gave up. This loop asks name servers without threads and remembers the answers. Every library
    that connects through the loop takes part: asyncpg, redis, asyncio's streams, aiohttp with `ThreadedResolver`.

    /etc/hosts and localhost are honoured, other sources of nsswitch.conf are not. `name_servers` (`ADDRESS:PORT`)
    replace those of /etc/resolv.conf when they are set before the first name is resolved.
    """

    def __init__(self) -> None:
        self.name_servers: Sequence[str] = ()
        self._resolver: aiodns.DNSResolver | None = None
        self._addresses = AddressCache(self._look_up, time.monotonic)

    async def create_connection(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        **options: Any,
    ) -> Any:
        """Connect to the first address of `host` that takes the connection. Raises what asyncio raises.

        For a name `local_addr` and the like are not taken: nothing here binds before it connects.
        """
        connect: Any = super().create_connection
        if not host or _is_numeric(host):
            return await connect(protocol_factory, host, port, **options)
        if options.get("ssl") and options.get("server_hostname") is None:
            options["server_hostname"] = host
        connected = await open_socket(self, host, port or 0)
        try:
            return await connect(protocol_factory, sock=connected, **options)
        except BaseException:
            connected.close()
            raise

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        """Resolve a name as `socket.getaddrinfo` does; numeric hosts and names to bind to go the usual way."""
        look_up, flags = super().getaddrinfo, hints.pop("flags", 0)
        if not isinstance(host, str) or not host or _is_numeric(host) or flags & socket.AI_PASSIVE:
            return await look_up(host, port, flags=flags, **hints)
        family = hints.pop("family", socket.AF_UNSPEC)
        rows: list[Any] = []
        for address in await self._addresses.resolve(host):
            version = socket.AF_INET6 if ":" in address else socket.AF_INET
            if family in {socket.AF_UNSPEC, version}:
                rows += await look_up(address, port, family=version, flags=flags | socket.AI_NUMERICHOST, **hints)
        if not rows:
            raise socket.gaierror(socket.EAI_NONAME, "the name has no address of this family")
        return rows

    def close(self) -> None:
        """Close the loop; look-ups under way are given up."""
        resolver, self._resolver = self._resolver, None
        if resolver is not None:
            resolver.cancel()
        super().close()

    async def _look_up(self, host: str) -> Answer:
        resolver = self._resolver
        if resolver is None:
            resolver = self._resolver = aiodns.DNSResolver(self.name_servers, self, timeout=TRY_S, tries=TRIES)
        try:
            async with asyncio.timeout(LOOK_UP_S):
                found = await resolver.getaddrinfo(host, type=socket.SOCK_STREAM)
        except aiodns.error.DNSError as error:
            code, *words = error.args
            number = socket.EAI_NONAME if code in _NO_ADDRESS else socket.EAI_AGAIN
            raise socket.gaierror(number, f"{host}: {' '.join(map(str, words))}") from error
        nodes = found.nodes
        return Answer(tuple(dict.fromkeys(map(_text, nodes))), min((node.ttl for node in nodes), default=0))


def new_event_loop() -> ResolvingLoop:
    """A loop for `asyncio.Runner`."""
    return ResolvingLoop()


def _text(node: Any) -> str:
    address: str | bytes = node.addr[0]
    return address.decode() if isinstance(address, bytes) else address


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
