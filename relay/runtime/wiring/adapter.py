"""What settings determine in the adapter: prepared without side effects, put in force as a whole."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from relay.adapter.institutions import AdaptedInstitution, AdapterPlan
from relay.infra.json_apis.servers import JsonServers, ServerLimits
from relay.infra.telegrams.lines import Lines
from relay.policy.mediation.institution import TelegramInstitution
from relay.policy.mediation.json_api.institution import JsonInstitution
from relay.policy.mediation.paging.seal import CursorSeal
from relay.policy.settings.directory import Provider
from relay.policy.settings.scalars import ProviderTimeouts
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.wiring.credentials import PoolKey, build_institution_context, compute_file_digest
from relay.runtime.wiring.ledger import load_cursor_key

_BEFORE_GATEWAY: Final = 0.95
"""The adapter ends a call after this part of the gateway's time, so that the record has the reason."""


@dataclass(frozen=True, slots=True)
class AdapterState:
    """Everything in the adapter that depends on settings. A reload replaces it as a whole.

    Institutions whose connections did not change keep those of the former state: `lines` of telegrams and `servers` of
    JSON by org_code, each with the key that it depends on.
    """

    loaded: LoadedSettings
    plan: AdapterPlan
    lines: Mapping[str, tuple[PoolKey, Lines]]
    servers: Mapping[str, tuple[PoolKey, JsonServers]] = field(default_factory=dict)

    def list_cores(self) -> list[Lines | JsonServers]:
        """Returns the connections to all cores."""
        return [*(lines for _, lines in self.lines.values()), *(servers for _, servers in self.servers.values())]

    def find_new_cores(self, former: "AdapterState | None") -> list[Lines | JsonServers]:
        """Returns the connections of this state that the former one does not have."""
        known = {id(core) for core in former.list_cores()} if former is not None else set()
        return [core for core in self.list_cores() if id(core) not in known]


def prepare_adapter_state(loaded: LoadedSettings, current: AdapterState | None) -> AdapterState:
    """Reads every file that the settings name and builds the state. Changes nothing and is safe on a thread.

    Raises SETTINGS_ERRORS.
    """
    lines: dict[str, tuple[PoolKey, Lines]] = {}
    servers: dict[str, tuple[PoolKey, JsonServers]] = {}
    institutions: dict[str, AdaptedInstitution] = {}
    for provider in loaded.providers:
        code = provider.org_code
        timeouts = provider.timeouts or loaded.settings.upstream.timeouts
        total_s = _BEFORE_GATEWAY * min(timeouts.first_byte_s, timeouts.total_s)
        if (layouts := loaded.telegrams.get(code)) is not None:
            key = _compute_key(provider, layouts, timeouts)
            former = None if current is None else current.lines.get(code)
            lines[code] = former if former and former[0] == key else (key, _build_lines(provider, layouts, timeouts))
            institutions[code] = AdaptedInstitution(code, layouts.conversions, lines[code][1], total_s)
        elif (json_apis := loaded.json_apis.get(code)) is not None:
            limits = _limit_servers(loaded, provider, json_apis)
            key = (provider.base_urls, provider.link, timeouts, limits, compute_file_digest(provider))
            known = None if current is None else current.servers.get(code)
            servers[code] = known if known and known[0] == key else (key, _build_servers(provider, timeouts, limits))
            institutions[code] = AdaptedInstitution(code, json_apis.conversions, servers[code][1], total_s)
    seal = CursorSeal(load_cursor_key(loaded.settings.ledger))
    return AdapterState(loaded, AdapterPlan(institutions, seal), lines, servers)


def _compute_key(provider: Provider, layouts: TelegramInstitution, timeouts: ProviderTimeouts) -> PoolKey:
    """Returns what the lines of an institution depend on; equal keys may share lines."""
    return provider.core, provider.link, layouts.link.settings, timeouts.connect_s, compute_file_digest(provider)


def _build_lines(provider: Provider, layouts: TelegramInstitution, timeouts: ProviderTimeouts) -> Lines:
    assert provider.core is not None  # noqa: S101 - the model has checked
    context = build_institution_context(provider)
    return Lines(provider.org_code, layouts.link, provider.core, context, timeouts.connect_s, time.time())


def _limit_servers(loaded: LoadedSettings, provider: Provider, json_apis: JsonInstitution) -> ServerLimits:
    """Returns the limits of the gateway, which keeps them first."""
    upstream = loaded.settings.upstream
    queue = upstream.queue if provider.queue is None else provider.queue
    return ServerLimits(provider.concurrency or upstream.concurrency, queue, json_apis.max_bytes)


def _build_servers(provider: Provider, timeouts: ProviderTimeouts, limits: ServerLimits) -> JsonServers:
    context = build_institution_context(provider)
    return JsonServers(provider.org_code, provider.base_urls, context, timeouts, limits, time.time())
