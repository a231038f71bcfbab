"""Changes of the portal's registry for people: a line for each, of names and values anybody may see."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from relay.domain.registry import Counted, Discarded, Organisation, RegisteredService, Registry, RegistryChanges

V = TypeVar("V")

_SECRET: Final = ("secret_hash", "secret_mark")
_ORGANISATION: Final = tuple(Organisation.__slots__)
_SERVICE: Final = tuple(name for name in RegisteredService.__slots__ if name not in _SECRET)


def differences(registry: Registry, changes: RegistryChanges) -> Iterator[str]:
    """A line for each change: `+` what comes, `-` what goes, `~` what changes and how. Of secrets only that they do."""
    for org_code, organisation in changes.organisations.items():
        yield _line(f"organisation {org_code}", registry.organisations.get(org_code), organisation, _ORGANISATION)
    for client_id, service in changes.services.items():
        former = registry.services.get(client_id)
        line = _line(f"service {client_id}", former, service, _SERVICE)
        if former and service and former.secret_hash != service.secret_hash:
            line += "; another secret"
        yield line


def only(changes: RegistryChanges, chosen: Counted) -> RegistryChanges:
    """The chosen ones of these changes."""
    organisations = {code: one for code, one in changes.organisations.items() if code in chosen.organisations}
    services = {name: one for name, one in changes.services.items() if name in chosen.services}
    return replace(changes, organisations=organisations, services=services)


def without(changes: RegistryChanges, discarded: Iterable[Discarded]) -> tuple[RegistryChanges, tuple[str, ...]]:
    """Changes but those that a person discarded, and a remark for each discard of which something is left out."""
    remarks = []
    for each in discarded:
        organisations = _without(changes.organisations, each.changes.organisations)
        services = _without(changes.services, each.changes.services)
        left = len(changes.organisations) - len(organisations) + len(changes.services) - len(services)
        if left:
            changes = replace(changes, organisations=organisations, services=services)
            remarks.append(f"{left} {'change' if left == 1 else 'changes'} left out, discarded: {each.reason}")
    return changes, tuple(remarks)


def _without(changes: Mapping[str, V | None], discarded: Mapping[str, V | None]) -> dict[str, V | None]:
    return {key: new for key, new in changes.items() if key not in discarded or discarded[key] != new}


def _line(
    what: str,
    known: Organisation | RegisteredService | None,
    wanted: Organisation | RegisteredService | None,
    names: tuple[str, ...],
) -> str:
    if known is None or wanted is None:
        one = known or wanted
        return f"{'-' if wanted is None else '+'} {what}{f' {one.name}' if one else ''}"
    changed = [name for name in names if getattr(known, name) != getattr(wanted, name)]
    told = "; ".join(f"{name} {_shown(getattr(known, name))} -> {_shown(getattr(wanted, name))}" for name in changed)
    return f"~ {what} {wanted.name}{f': {told}' if told else ''}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return str(value) or "none"
