"""Describes changes of the portal's registry: one line for each, of names and values that may be shown."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from relay.domain.registry import Discard, Organisation, PartySet, RegisteredService, Registry, RegistryChanges

V = TypeVar("V")

_SECRET: Final = ("secret_hash", "secret_mark")
_ORGANISATION: Final = tuple(Organisation.__slots__)
_SERVICE: Final = tuple(name for name in RegisteredService.__slots__ if name not in _SECRET)


def describe_differences(registry: Registry, changes: RegistryChanges) -> Iterator[str]:
    """Yields a line for each change: `+` added, `-` removed, `~` changed and how. Of secrets only that they changed."""
    for org_code, organisation in changes.organisations.items():
        yield _describe(f"organisation {org_code}", registry.organisations.get(org_code), organisation, _ORGANISATION)
    for client_id, service in changes.services.items():
        former = registry.services.get(client_id)
        line = _describe(f"service {client_id}", former, service, _SERVICE)
        if former and service and former.secret_hash != service.secret_hash:
            line += "; another secret"
        yield line


def select(changes: RegistryChanges, chosen: PartySet) -> RegistryChanges:
    """Returns the changes of the chosen parties."""
    organisations = {code: org for code, org in changes.organisations.items() if code in chosen.organisations}
    services = {name: service for name, service in changes.services.items() if name in chosen.services}
    return replace(changes, organisations=organisations, services=services)


def drop_discarded(changes: RegistryChanges, discarded: Iterable[Discard]) -> tuple[RegistryChanges, tuple[str, ...]]:
    """Returns changes without the discarded ones, and a remark for each discarded sync that removed a change."""
    remarks = []
    for discard in discarded:
        organisations = _drop_equal(changes.organisations, discard.changes.organisations)
        services = _drop_equal(changes.services, discard.changes.services)
        removed = len(changes.organisations) - len(organisations) + len(changes.services) - len(services)
        if removed:
            changes = replace(changes, organisations=organisations, services=services)
            remarks.append(f"{removed} {'change' if removed == 1 else 'changes'} left out, discarded: {discard.reason}")
    return changes, tuple(remarks)


def _drop_equal(changes: Mapping[str, V | None], discarded: Mapping[str, V | None]) -> dict[str, V | None]:
    return {key: value for key, value in changes.items() if key not in discarded or discarded[key] != value}


def _describe(
    subject: str,
    former: Organisation | RegisteredService | None,
    new: Organisation | RegisteredService | None,
    names: tuple[str, ...],
) -> str:
    if former is None or new is None:
        value = former or new
        return f"{'-' if new is None else '+'} {subject}{f' {value.name}' if value else ''}"
    changed = [name for name in names if getattr(former, name) != getattr(new, name)]
    details = "; ".join(_describe_field(name, former, new) for name in changed)
    return f"~ {subject} {new.name}{f': {details}' if details else ''}"


def _describe_field(name: str, former: object, new: object) -> str:
    return f"{name} {_format_value(getattr(former, name))} -> {_format_value(getattr(new, name))}"


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return str(value) or "none"
