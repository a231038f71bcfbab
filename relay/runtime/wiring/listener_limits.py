"""How many connections the authority's listeners take, and how many open files the settings need."""

import ipaddress
from typing import Final

from relay.admin.server import CONNECTIONS as ADMIN_CONNECTIONS
from relay.endpoint.connections.limits import ConnectionLimits
from relay.policy.settings.authority import AuthoritySettings, LedgerSettings, Pages
from relay.policy.settings.scalars import Rate
from relay.runtime.settings.loading import Loaded

_GATEWAYS: Final = 4
"""Gateways that one authority serves at once: two, while both are replaced."""
_OTHERS: Final = 64
"""Connections to the authority beside calls: health, the feed of revocations, probes of its socket."""
_CLOSING: Final = 256
"""Connections of the gateway that count nowhere: refused ones that are being closed."""
_FILES: Final = 256
"""Libraries, settings, logs, spool, name servers, timers."""
_FILES_OF_SQLITE: Final = 3
"""A connection to SQLite has its database, the log and the index of it open."""


def gateway_connections(settings: AuthoritySettings) -> ConnectionLimits:
    """The limits of the authority's unix socket: its callers have no address, and are gateways of the same user."""
    most = _GATEWAYS * settings.concurrency + _OTHERS
    return ConnectionLimits(most, most, Rate(per_second=most, burst=most))


def pages_connections(pages: Pages) -> ConnectionLimits:
    """The limits of the pages' listener."""
    limits = pages.limits
    proxies = tuple(ipaddress.ip_network(network, strict=False) for network in pages.proxies)
    return ConnectionLimits(limits.connections, limits.connections_per_address, limits.new_connections, proxies)


def gateway_files(loaded: Loaded) -> int:
    """Open files that a gateway with these settings may need: callers, institutions, authority, ledger, the others."""
    settings = loaded.settings
    institutions = sum(provider.concurrency or settings.upstream.concurrency for provider in loaded.providers)
    limits = settings.gateway.limits
    callers = limits.connections + limits.handshakes + _CLOSING + ADMIN_CONNECTIONS
    ours = settings.authority.concurrency + _OTHERS + _of_ledger(settings.ledger)
    return callers + institutions + ours + _FILES


def authority_files(loaded: Loaded) -> int:
    """Open files that an authority with these settings may need; each of its calls may make one of its own."""
    settings = loaded.settings
    calls = gateway_connections(settings.authority).connections
    if settings.authority.pages is not None:
        calls += settings.authority.pages.limits.connections
    return 2 * calls + _of_ledger(settings.ledger) + _FILES


def _of_ledger(ledger: LedgerSettings) -> int:
    return _FILES_OF_SQLITE * ledger.connections
