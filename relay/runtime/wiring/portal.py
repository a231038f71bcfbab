"""Builds the settings of the support APIs and the probes of institutions."""

import ssl
import time
from collections.abc import Callable

from relay.domain.registry import Registry
from relay.infra.upstream.probing import Probes
from relay.policy.settings.directory import Provider
from relay.portal.dependencies import SupportSettings
from relay.runtime.settings.loading import LoadedSettings


def build_support_settings(loaded: LoadedSettings, registry: Registry) -> SupportSettings | None:
    """Returns the settings of the support APIs, None without a portal. Operators come from the registry."""
    settings = loaded.settings
    if settings.portal is None:
        return None
    operators = (organisation.org_code for organisation in registry.organisations.values() if organisation.may_call)
    relay, issuer = settings.relay.org_code, settings.tokens.issuer
    return SupportSettings.of(relay, issuer, settings.portal, loaded.providers, operators)


def build_probes(tls_context: Callable[[Provider], ssl.SSLContext | None], adapter: str) -> Probes:
    """Returns probes that test whether institutions can be reached. `tls_context` returns the context toward one.

    `adapter` is the unix socket of the adapter.
    """
    return Probes(tls_context, time.monotonic, adapter)
