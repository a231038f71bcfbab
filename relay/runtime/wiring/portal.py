"""From settings and registry to the support APIs' office, and the probe that tells whether institutions are there."""

import ssl
import time
from collections.abc import Callable

from relay.domain.registry import Registry
from relay.infra.upstream.probing import Probes
from relay.policy.settings.directory import Provider
from relay.portal.services import SupportOffice
from relay.runtime.settings.loading import Loaded


def support_office_of(loaded: Loaded, registry: Registry) -> SupportOffice | None:
    """The office of these settings; None without a portal. Operators are those that the registry lets call."""
    settings = loaded.settings
    if settings.portal is None:
        return None
    operators = (one.org_code for one in registry.organisations.values() if one.calls)
    relay, issuer = settings.relay.org_code, settings.tokens.issuer
    return SupportOffice.of(relay, issuer, settings.portal, loaded.providers, operators)


def probes(context_of: Callable[[Provider], ssl.SSLContext | None]) -> Probes:
    """Who tries whether institutions can be reached. `context_of` gives the TLS context toward one of the settings."""
    return Probes(context_of, time.monotonic)
