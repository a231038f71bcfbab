"""Why a sync must wait for a person: it would cut off, re-key or hand over more than one sync may by itself.

A portal that tells half of what it knows, or somebody in its place, must not empty the registry. What is held is shown
and released by a person; the last good registry goes on meanwhile.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from relay.domain.ids import normal_serial
from relay.domain.registry import Organisation, RegisteredService, Registry, RegistryChanges
from relay.policy.portal import Guard

_NAMED_MOST: Final = 10
"""So many organisations are named in one sentence; the others are counted."""

_STAYS: Final = object()


def reasons(registry: Registry, changes: RegistryChanges, guard: Guard, relay: str) -> tuple[str, ...]:
    """Sentences why `changes` must wait, () when they may pass. The first load into an empty registry may.

    `relay` is our own org_code: a list that misses us is no list.
    """
    if not registry.organisations:
        return ()
    return (
        *_cut_off(registry, changes, guard),
        *_replaced(registry, changes),
        *_services_gone(registry, changes, guard),
        *_services_moved(registry, changes),
        *_ourselves(registry, changes, relay),
    )


def _cut_off(registry: Registry, changes: RegistryChanges, guard: Guard) -> Iterator[str]:
    """Removed, re-keyed, or allowed to call no more: each institution counts once."""
    harms = Counter(_harm(registry.organisations.get(code), new) for code, new in changes.organisations.items())
    del harms[""]
    known = len(registry.organisations)
    if harms.total() > _most(guard, known):
        told = ", ".join(f"{count} {words}" for words, count in sorted(harms.items()))
        yield f"{harms.total()} of {known} organisations would be cut off or re-keyed at once: {told}"


def _harm(old: Organisation | None, new: Organisation | None) -> str:
    if old is None:
        return ""
    if new is None:
        return "removed"
    if old.calls and not new.calls:
        return "allowed to call no more"
    return "given another serial_num" if _rekeyed(old, new) else ""


def _rekeyed(old: Organisation, new: Organisation) -> bool:
    """Another certificate; the first one of somebody who had none is no other."""
    former = normal_serial(old.serial_num)
    return bool(former) and former != normal_serial(new.serial_num)


def _replaced(registry: Registry, changes: RegistryChanges) -> Iterator[str]:
    """Certificate and addresses of one at once: whoever could call then need not be who it was."""
    found = []
    for code, new in changes.organisations.items():
        old = registry.organisations.get(code)
        if old and new and _rekeyed(old, new) and set(old.addresses) != set(new.addresses):
            found.append(code)
    if found:
        yield f"serial_num and addresses would change at once: {_named(found)}"


def _services_gone(registry: Registry, changes: RegistryChanges, guard: Guard) -> Iterator[str]:
    """Services whose operators stay; those of operators that go were counted with them."""
    count = sum(
        changes.organisations.get(old.operator, _STAYS) is not None
        for old, new in _known_services(registry, changes)
        if new is None
    )
    known = len(registry.services)
    if count > _most(guard, known) or count == known > 1:
        yield f"{count} of {known} services would be removed at once, though their operators stay"


def _services_moved(registry: Registry, changes: RegistryChanges) -> Iterator[str]:
    """A service in other hands takes the consents given to it along."""
    pairs = _known_services(registry, changes)
    moved = [f"{old.operator} to {new.operator}" for old, new in pairs if new and new.operator != old.operator]
    if moved:
        yield f"services would pass from one operator to another: {_named(moved)}"


def _ourselves(registry: Registry, changes: RegistryChanges, relay: str) -> Iterator[str]:
    if relay in registry.organisations and changes.organisations.get(relay, _STAYS) is None:
        yield f"this relay itself would be removed: {relay}"


def _known_services(
    registry: Registry, changes: RegistryChanges
) -> Iterator[tuple[RegisteredService, RegisteredService | None]]:
    for client_id, new in changes.services.items():
        old = registry.services.get(client_id)
        if old is not None:
            yield old, new


def _most(guard: Guard, known: int) -> float:
    return max(guard.share * known, guard.least)


def _named(found: list[str]) -> str:
    more = len(found) - _NAMED_MOST
    told = ", ".join(found[:_NAMED_MOST])
    return f"{told} and {more} more" if more > 0 else told
