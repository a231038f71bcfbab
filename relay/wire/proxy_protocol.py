"""PROXY protocol v2: before the first byte of TLS a load balancer sends the address of the client it connects for."""

import ipaddress
import struct
from typing import Final

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
FIXED_BYTES: Final = 16
_VERSION_2: Final = 2
_LOCAL, _PROXY = 0, 1
_MAX_LENGTH: Final = 536
"""Bytes of addresses and extensions accepted; load balancers send far less."""

_FAMILIES: Final = {1: (4, ipaddress.IPv4Address), 2: (16, ipaddress.IPv6Address)}


class NoProxyHeader(Exception):
    """The received bytes are not a PROXY v2 header."""


def header_length(fixed: bytes) -> int:
    """Returns how many bytes follow the first 16. Raises NoProxyHeader."""
    length = int(struct.unpack("!H", fixed[14:16])[0])
    if fixed[:12] != _SIGNATURE or fixed[12] >> 4 != _VERSION_2 or length > _MAX_LENGTH:
        raise NoProxyHeader
    return length


def parse_source(header: bytes) -> str:
    """Returns the client address of a whole header, "" for health checks (LOCAL). Raises NoProxyHeader."""
    command, family = header[12] & 0x0F, header[13] >> 4
    if command == _LOCAL:
        return ""
    if command != _PROXY or family not in _FAMILIES:
        raise NoProxyHeader
    size, address_type = _FAMILIES[family]
    if len(header) < FIXED_BYTES + 2 * size + 4:
        raise NoProxyHeader
    address = address_type(header[FIXED_BYTES : FIXED_BYTES + size])
    return str(getattr(address, "ipv4_mapped", None) or address)
