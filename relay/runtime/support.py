"""From settings and registry to the support APIs' office, and the probe that tells whether institutions are there."""

import ssl
import time

from relay.domain.registry import Registry
from relay.infra.probing import Probes
from relay.infra.tls import TlsError
from relay.policy.registry import Provider
from relay.portal.office import SupportOffice
from relay.runtime.config import Loaded
from relay.runtime.materials import provider_context
from relay.runtime.references import SecretMissing


def support_office_of(loaded: Loaded, registry: Registry) -> SupportOffice | None:
    """The office of these settings; None without a portal. Operators are those that the registry lets call."""
    settings = loaded.settings
    if settings.portal is None:
        return None
    operators = (one.org_code for one in registry.organisations.values() if one.calls)
    relay, issuer = settings.relay.org_code, settings.tokens.issuer
    return SupportOffice.of(relay, issuer, settings.portal, loaded.providers, operators)


def probes() -> Probes:
    """Who tries whether institutions can be reached; certificates and keys are read as they stand at that moment."""
    return Probes(_context, time.monotonic)


def _context(provider: Provider) -> ssl.SSLContext | None:
    try:
        return provider_context(provider)
    except SecretMissing as missing:
        raise TlsError(str(missing)) from missing
