"""The sections of the settings that a reload does not apply."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Final

from relay.policy.settings.model import Settings

_ALL: Final = frozenset({"gateway", "authority", "jobs"})
_GATEWAY: Final = frozenset({"gateway"})
_AUTHORITY: Final = frozenset({"authority"})
_CALLS: Final = _GATEWAY | _AUTHORITY
"""The roles at both ends of the authority's socket."""
_ADAPTER: Final = frozenset({"adapter"})

START_ONLY: Final[Mapping[str, frozenset[str]]] = {
    "gateway.workers": _GATEWAY,
    "gateway.socket": _GATEWAY,
    "gateway.listeners": _GATEWAY,
    "gateway.limits": _GATEWAY,
    "gateway.timeouts": _GATEWAY,
    "gateway.drain": _GATEWAY,
    "ledger": _ALL,
    "authority.socket": _CALLS,
    "authority.concurrency": _CALLS,
    "authority.queue": _CALLS,
    "authority.timeout_s": _CALLS,
    "authority.verifiers": _AUTHORITY,
    "authority.pages": _AUTHORITY,
    "adapter.socket": _CALLS | _ADAPTER,
    "admin": _GATEWAY,
    "health": _GATEWAY,
    "access_log": _GATEWAY,
    "reload": _ALL | _ADAPTER,
    "statistics": _GATEWAY,
    "quotas": _GATEWAY,
    "jobs": frozenset({"jobs"}),
}
"""Sections that are applied at start only, not by a reload, with the roles that use them."""


def sections_needing_restart(role: str, running: Settings, current: Settings) -> list[str]:
    """Returns sections of a role in START_ONLY that changed since its start, and `portal` when it was added or removed.

    The jobs take an added portal by a reload.
    """
    changed = [
        name
        for name, roles in START_ONLY.items()
        if role in roles and attrgetter(name)(running) != attrgetter(name)(current)
    ]
    is_portal_new = (running.portal is None) != (current.portal is None)
    return [*changed, "portal"] if is_portal_new and role in _CALLS else changed
