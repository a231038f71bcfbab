"""What settings determine in the adapter: prepared without side effects, put in force as a whole."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relay.adapter.institutions import AdaptedInstitution, AdapterPlan
from relay.infra.telegrams.lines import Lines
from relay.policy.mediation.institution import TelegramInstitution
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

    Institutions whose connections did not change keep the lines of the former state: `lines` by org_code, each with
    the key that it depends on.
    """

    loaded: LoadedSettings
    plan: AdapterPlan
    lines: Mapping[str, tuple[PoolKey, Lines]]

    def find_new_lines(self, former: "AdapterState | None") -> list[Lines]:
        """Returns the lines of this state that the former one does not have."""
        known = {id(lines) for _, lines in former.lines.values()} if former is not None else set()
        return [lines for _, lines in self.lines.values() if id(lines) not in known]


def prepare_adapter_state(loaded: LoadedSettings, current: AdapterState | None) -> AdapterState:
    """Reads every file that the settings name and builds the state. Changes nothing and is safe on a thread.

    Raises SETTINGS_ERRORS.
    """
    table = {} if current is None else current.lines
    lines: dict[str, tuple[PoolKey, Lines]] = {}
    institutions: dict[str, AdaptedInstitution] = {}
    for provider in loaded.providers:
        layouts = loaded.telegrams.get(provider.org_code)
        if layouts is None:
            continue
        timeouts = provider.timeouts or loaded.settings.upstream.timeouts
        key = _compute_key(provider, layouts, timeouts)
        former = table.get(provider.org_code)
        lines[provider.org_code] = former if former and former[0] == key else (key, _build(provider, layouts, timeouts))
        institutions[provider.org_code] = AdaptedInstitution(
            provider.org_code,
            layouts.conversions,
            lines[provider.org_code][1],
            _BEFORE_GATEWAY * min(timeouts.first_byte_s, timeouts.total_s),
        )
    seal = CursorSeal(load_cursor_key(loaded.settings.ledger))
    return AdapterState(loaded, AdapterPlan(institutions, seal), lines)


def _compute_key(provider: Provider, layouts: TelegramInstitution, timeouts: ProviderTimeouts) -> PoolKey:
    """Returns what the lines of an institution depend on; equal keys may share lines."""
    return provider.core, provider.link, layouts.link.settings, timeouts.connect_s, compute_file_digest(provider)


def _build(provider: Provider, layouts: TelegramInstitution, timeouts: ProviderTimeouts) -> Lines:
    assert provider.core is not None  # noqa: S101 - the model has checked
    context = build_institution_context(provider)
    return Lines(provider.org_code, layouts.link, provider.core, context, timeouts.connect_s, time.time())
