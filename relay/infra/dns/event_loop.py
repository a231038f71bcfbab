"""The event loop of the relay's processes: uvloop, with host names resolved by c-ares instead of a thread pool."""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import aiodns
import uvloop

from relay.infra.dns.address_cache import AddressCache, ResolvedAddresses
from relay.infra.dns.happy_eyeballs import connect_socket

TRY_S: Final = 2.0
"""Timeout of one query to a name server; c-ares doubles it in each further round."""

TRIES: Final = 2
"""Number of rounds over all name servers."""

LOOK_UP_S: Final = 10.0
"""Timeout of a whole look-up."""

_NO_ADDRESS: Final = frozenset({aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA, aiodns.error.ARES_EBADNAME})


class ResolvingLoop(uvloop.Loop):
    """A uvloop loop on which a name that does not resolve delays only its own connections.

    `getaddrinfo` of libuv uses a small thread pool: look-ups that hang block its threads, even after their callers were
    cancelled. This loop queries name servers without threads and caches the results. It serves every library that
    connects through the loop: asyncpg, redis, asyncio streams, aiohttp with `ThreadedResolver`.

    It reads /etc/hosts and localhost, no other source of nsswitch.conf. `name_servers` (`ADDRESS:PORT`), if set before
    the first look-up, replace those of /etc/resolv.conf.
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
        """Connects to the first address of `host` that accepts. Raises what asyncio raises.

        For a host name, `local_addr` and similar options are not supported.
        """
        connect: Any = super().create_connection
        if not host or _is_numeric(host):
            return await connect(protocol_factory, host, port, **options)
        if options.get("ssl") and options.get("server_hostname") is None:
            options["server_hostname"] = host
        sock = await connect_socket(self, host, port or 0)
        try:
            return await connect(protocol_factory, sock=sock, **options)
        except BaseException:
            sock.close()
            raise

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        """Resolves a name like `socket.getaddrinfo`. uvloop handles numeric hosts and AI_PASSIVE."""
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
        """Closes the loop and cancels running look-ups."""
        resolver, self._resolver = self._resolver, None
        if resolver is not None:
            resolver.cancel()
        super().close()

    async def _look_up(self, host: str) -> ResolvedAddresses:
        resolver = self._resolver
        if resolver is None:
            resolver = self._resolver = aiodns.DNSResolver(self.name_servers, self, timeout=TRY_S, tries=TRIES)
        try:
            async with asyncio.timeout(LOOK_UP_S):
                result = await resolver.getaddrinfo(host, type=socket.SOCK_STREAM)
        except aiodns.error.DNSError as error:
            code, *words = error.args
            number = socket.EAI_NONAME if code in _NO_ADDRESS else socket.EAI_AGAIN
            raise socket.gaierror(number, f"{host}: {' '.join(map(str, words))}") from error
        nodes = result.nodes
        return ResolvedAddresses(
            tuple(dict.fromkeys(map(_address_text, nodes))), min((node.ttl for node in nodes), default=0)
        )


def new_event_loop() -> ResolvingLoop:
    """Returns a loop for `asyncio.Runner`."""
    return ResolvingLoop()


def _address_text(node: Any) -> str:
    address: str | bytes = node.addr[0]
    return address.decode() if isinstance(address, bytes) else address


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
