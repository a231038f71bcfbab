"""A DNS server on loopback (RFC 1035) for tests: its answers can be changed or withheld."""

import asyncio
import socket
import struct
from collections import Counter
from typing import Final

_A: Final = 1
_HEADER: Final = 12
_POINTER: Final = b"\xc0\x0c"
_NO_SUCH_NAME: Final = 3


class NameServer(asyncio.DatagramProtocol):
    """Answers A queries from `addresses`; other names do not exist. Names in `silent` get no answer.

    `asked` counts the A queries by name. Answers come `delay_s` later.
    """

    def __init__(self) -> None:
        self.addresses: dict[str, list[str]] = {}
        self.silent: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.ttl = 60
        self.delay_s = 0.0
        self.place = ""

    async def start(self, address: str = "127.0.0.1", port: int = 0) -> None:
        """Listens on a free port, or on `port`; `place` is its ADDRESS:PORT."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(address, port))
        self.place = "{}:{}".format(address, self._transport.get_extra_info("sockname")[1])

    def stop(self) -> None:
        """Stops listening."""
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answers one query."""
        labels, at = [], _HEADER
        while length := data[at]:
            labels.append(data[at + 1 : at + 1 + length].decode())
            at += 1 + length
        name, (kind,) = ".".join(labels).lower(), struct.unpack_from(">H", data, at + 1)
        self.asked[name] += kind == _A
        if name in self.silent:
            return
        addresses = self.addresses.get(name, []) if kind == _A else []
        records = [
            _POINTER + struct.pack(">HHIH", _A, 1, self.ttl, 4) + socket.inet_aton(address) for address in addresses
        ]
        outcome = 0 if name in self.addresses else _NO_SUCH_NAME
        head = data[:2] + struct.pack(">HHHHH", 0x8180 | outcome, 1, len(records), 0, 0)
        answer = head + data[_HEADER : at + 5] + b"".join(records)
        asyncio.get_running_loop().call_later(self.delay_s, self._answer, answer, addr)

    def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(data, addr)
