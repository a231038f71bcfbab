"""Addresses that count as one peer."""

import ipaddress
from typing import Final

_IPV6_PREFIX: Final = 64
"""Prefix of a peer's network; the peer may choose the other 64 bits (RFC 4291 2.5.4)."""


def get_network(address: str) -> str:
    """Returns the IPv4 address or the /64 network of an IPv6 address; other text unchanged."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))
