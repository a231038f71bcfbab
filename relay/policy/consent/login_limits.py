"""Rate limits of failed logins at the pages, by customer address and by login id. Pure."""

import ipaddress
from typing import Final

from relay.policy.settings.scalars import Rate

ADDRESS_RATE: Final = Rate(per_second=1 / 30, burst=30)
"""Failed logins of one address: 30 at once, then one per 30 s. Customers of mobile networks share addresses."""

LOGIN_ID_RATE: Final = Rate(per_second=1 / 300, burst=10)
"""Failed logins of one login id at one institution: 10 at once, then one per 5 minutes."""


def find_customer_address(peer: str, forwarded: str, proxies: tuple[str, ...]) -> str:
    """Returns the customer's address: the peer, or the address that trusted `proxies` wrote into X-Forwarded-For.

    Each proxy appends the address of its peer. So the last address outside `proxies` (networks) is the customer's, and
    those before it are untrusted. Returns "" if a trusted proxy wrote no valid address.
    """
    if not _is_within(peer, proxies):
        return peer
    for text in reversed(forwarded.split(",")):
        address = text.strip()
        if not _is_address(address):
            return ""
        if not _is_within(address, proxies):
            return address
    return ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    if not networks or not _is_address(address):
        return False
    parsed = ipaddress.ip_address(address)
    return any(parsed in ipaddress.ip_network(network, strict=False) for network in networks)
