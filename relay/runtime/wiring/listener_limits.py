"""Computes connection limits of the listeners of authority and adapter, and the open files that settings need."""

import ipaddress
from typing import Final

from relay.admin.server import CONNECTIONS as ADMIN_CONNECTIONS
from relay.endpoint.connections.limits import ConnectionLimits
from relay.policy.settings.authority import AuthoritySettings, LedgerSettings, PagesSettings
from relay.policy.settings.directory import Language
from relay.policy.settings.scalars import Rate
from relay.runtime.settings.loading import LoadedSettings

_GATEWAYS: Final = 4
"""Gateways that one authority serves at once: two, and their two successors during an upgrade."""
_OTHERS: Final = 64
"""Connections to the authority beside calls: health, revocation feed, probes of its socket."""
_LEAST_ADAPTED: Final = 1024
"""Connections to an adapter for calls, at least: a reload may add institutions, and the limit is that of the start."""
_CLOSING: Final = 256
"""Refused connections of the gateway that are being closed; no other limit counts them."""
_FILES: Final = 256
"""Open files of libraries, settings, logs, spool, name servers, timers."""
_FILES_OF_SQLITE: Final = 3
"""Open files of one SQLite connection: database, WAL, WAL index."""


def gateway_connection_limits(settings: AuthoritySettings) -> ConnectionLimits:
    """Returns the limits of the authority's unix socket; its peers are gateways of the same user, without address."""
    limit = _GATEWAYS * settings.concurrency + _OTHERS
    return ConnectionLimits(limit, limit, Rate(per_second=limit, burst=limit))


def adapter_connection_limits(loaded: LoadedSettings) -> ConnectionLimits:
    """Returns the limits of the adapter's unix socket: the calls that all gateways may send at once."""
    least = loaded.settings.upstream.concurrency
    calls = sum(
        provider.concurrency or (least if provider.core is None else provider.core.capacity)
        for provider in loaded.providers
        if provider.needs_adapter
    )
    limit = max(_LEAST_ADAPTED, _GATEWAYS * calls) + _OTHERS
    return ConnectionLimits(limit, limit, Rate(per_second=limit, burst=limit))


def max_adapter_files(loaded: LoadedSettings) -> int:
    """Returns how many files an adapter may have open: its gateways' connections and its lines, twice in a reload."""
    lines = sum(provider.core.capacity for provider in loaded.providers if provider.core is not None)
    lines += sum(
        provider.concurrency or loaded.settings.upstream.concurrency
        for provider in loaded.providers
        if provider.speaks is Language.JSON
    )
    return adapter_connection_limits(loaded).connections + 2 * lines + _FILES


def pages_connection_limits(pages: PagesSettings) -> ConnectionLimits:
    """Returns the limits of the pages' listener."""
    limits = pages.limits
    proxies = tuple(ipaddress.ip_network(network, strict=False) for network in pages.proxies)
    return ConnectionLimits(limits.connections, limits.connections_per_address, limits.new_connections, proxies)


def max_gateway_files(loaded: LoadedSettings) -> int:
    """Returns how many files a gateway may have open: callers, institutions, authority, ledger, others."""
    settings = loaded.settings
    institutions = sum(provider.concurrency or settings.upstream.concurrency for provider in loaded.providers)
    limits = settings.gateway.limits
    callers = limits.connections + limits.handshakes + _CLOSING + ADMIN_CONNECTIONS
    authority = settings.authority.concurrency + _OTHERS
    return callers + institutions + authority + _ledger_files(settings.ledger) + _FILES


def max_authority_files(loaded: LoadedSettings) -> int:
    """Returns how many files an authority may have open; each of its calls may open a connection of its own."""
    settings = loaded.settings
    calls = gateway_connection_limits(settings.authority).connections
    if settings.authority.pages is not None:
        calls += settings.authority.pages.limits.connections
    return 2 * calls + _ledger_files(settings.ledger) + _FILES


def _ledger_files(ledger: LedgerSettings) -> int:
    return _FILES_OF_SQLITE * ledger.connections
