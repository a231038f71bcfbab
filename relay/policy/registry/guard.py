"""Decides whether a sync must wait for a person, because it harms more of the registry than syncs may by themselves.

A portal that tells half of what it knows, or somebody in its place, must not empty or redirect the registry: neither in
one sync nor in many small ones. What is held is shown and released by a person; the last good registry goes on.
`policy.harms` decides what harms one organisation or service.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from relay.domain.ids import normal_serial
from relay.domain.registry import (
    COUNTS_NONE,
    Counted,
    Former,
    Organisation,
    Past,
    RegisteredService,
    Registry,
    RegistryChanges,
)
from relay.policy.registry.harms import MOVED, TimeLine, harms_of_organisation, harms_of_service, is_replaced
from relay.policy.settings.portal import Guard

WINDOW_DAYS: Final = 7
"""The syncs of so many days count together."""
WINDOW_S: Final = WINDOW_DAYS * 86_400

SHARED_MOST: Final = 20
"""So many org_codes of one company may share a certificate. Gateways look at each of them on every call."""

_NAMED_MOST: Final = 10
"""So many organisations are named in one sentence; the others are counted."""

Harms = Mapping[str, tuple[str, ...]]
"""How each organisation or service is harmed, in words; those that are not harmed are missing."""

V = TypeVar("V", bound=Organisation | RegisteredService)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a sync would do. `reasons` are sentences why it is held, () when it may pass.

    `counted` is harmed by it and counts for a week; `harmful` is everything in it that a person may not want.
    """

    reasons: tuple[str, ...] = ()
    counted: Counted = COUNTS_NONE
    harmful: Counted = COUNTS_NONE


def judge(registry: Registry, changes: RegistryChanges, past: Past, guard: Guard, relay: str, now: int) -> Judgement:
    """Judge a sync together with the syncs of the last week. The first load into an empty registry passes.

    `relay` is our own org_code: a list that misses us is no list. `past` reaches back a week at least.
    """
    if not registry.organisations:
        return Judgement()
    sync = _Sync(registry, changes, past, relay, now - WINDOW_S)
    reasons = (
        *sync.organisations(guard),
        *sync.replaced(),
        *sync.services(guard),
        *sync.moved(),
        *sync.ourselves(),
        *sync.shared(),
    )
    return Judgement(reasons, sync.counted(), sync.harmful())


class _Sync:
    """One sync beside the registry and its last week, which began at `start`."""

    def __init__(self, registry: Registry, changes: RegistryChanges, past: Past, relay: str, start: int) -> None:
        self._registry, self._changes, self._relay = registry, changes, relay
        self._org_lines = _lines(registry.organisations, past.organisations, changes.organisations, start)
        self._lines = _lines(registry.services, past.services, changes.services, start)
        new = changes.organisations
        self._org_harms = _only({code: harms_of_organisation(self._org_lines[code], new[code], relay) for code in new})
        self._harms = _only({name: harms_of_service(self._lines[name], one) for name, one in changes.services.items()})
        self._own_harms = {name: why for name, why in self._harms.items() if not self._goes(self._operator(name))}

    def organisations(self, guard: Guard) -> Iterator[str]:
        """More of them harmed within a week than the share; each counts once, whatever happens to it."""
        harms = _with_services(self._org_harms, ((self._operator(name), why) for name, why in self._own_harms.items()))
        earlier = _counted(self._org_lines) | {self._operator(name) for name in _counted(self._lines)}
        known = _known(self._registry.organisations, self._org_lines)
        words = f"of {known} organisations would be cut off, re-keyed, redirected or re-timed"
        yield from _too_many(harms, earlier, known, guard, words)

    def replaced(self) -> Iterator[str]:
        """Certificate and addresses of one, within a week."""
        new = self._changes.organisations
        found = [code for code, one in new.items() if is_replaced(self._org_lines[code], one)]
        if found:
            yield f"serial_num and addresses would change within {WINDOW_DAYS} days: {_named(found)}"

    def services(self, guard: Guard) -> Iterator[str]:
        """More services harmed within a week than the share, or none left, though their operators stay."""
        known = _known(self._registry.services, self._lines)
        words = f"of {known} services whose operators stay would be removed, re-keyed or redirected"
        yield from _too_many(self._own_harms, _counted(self._lines), known, guard, words)
        left = dict.fromkeys(self._registry.services, True) | {
            name: one is not None for name, one in self._changes.services.items()
        }
        if known > 1 and not any(left.values()) and self._own_harms:
            yield "no service would be left, though operators stay"

    def moved(self) -> Iterator[str]:
        """A service in other hands takes the consents given to it along."""
        moved = [name for name, why in self._harms.items() if MOVED in why]
        if moved:
            pairs = [f"{self._operator(name)} to {self._new_operator(name)}" for name in moved]
            yield f"services would pass from one operator to another: {_named(pairs)}"

    def ourselves(self) -> Iterator[str]:
        """The relay's own entry."""
        if self._relay in self._registry.organisations and self._goes(self._relay):
            yield f"this relay itself would be removed: {self._relay}"

    def shared(self) -> Iterator[str]:
        """Newcomers under one serial_num: they would make every call with it dear, a stranger's too."""
        if crowded := self._crowded():
            words = [f"{count} with {serial}" for serial, count in sorted(crowded.items())]
            yield f"more than {SHARED_MOST} organisations would share a serial_num: {_named(words)}"

    def _crowded(self) -> Mapping[str, int]:
        """Serial numbers, in their normal form, that this sync gives to further organisations, and how many have them.

        Those that more than SHARED_MOST would have.
        """
        new = {code: one for code, one in self._changes.organisations.items() if one is not None}
        former = {code: self._registry.organisations.get(code) for code in new}
        given = {_serial(one) for code, one in new.items() if _serial(one) != _serial(former[code])} - {""}
        standing = {**self._registry.organisations, **self._changes.organisations}
        counts = Counter(_serial(one) for one in standing.values() if one is not None)
        return {serial: counts[serial] for serial in given if counts[serial] > SHARED_MOST}

    def counted(self) -> Counted:
        """What counts from now on."""
        return Counted(frozenset(self._org_harms), frozenset(self._own_harms))

    def harmful(self) -> Counted:
        """What counts, and what else is held: replaced ones, services of those that go, crowds, the relay itself."""
        new = self._changes.organisations
        replaced = {code for code, one in new.items() if is_replaced(self._org_lines[code], one)}
        ours = {self._relay} & {code for code, one in new.items() if one is None}
        crowded = self._crowded()
        alike = {code for code, one in new.items() if _serial(one) in crowded}
        going = {name for name in self._changes.services if self._goes(self._operator(name))}
        return Counted(frozenset({*self._org_harms, *replaced, *ours, *alike}), frozenset({*self._harms, *going}))

    def _goes(self, org_code: str) -> bool:
        return org_code in self._changes.organisations and self._changes.organisations[org_code] is None

    def _operator(self, client_id: str) -> str:
        """The operator of a service as it was."""
        known = self._lines[client_id].reference
        return known.operator if known is not None else ""

    def _new_operator(self, client_id: str) -> str:
        new = self._changes.services[client_id]
        return new.operator if new is not None else ""


def _serial(organisation: Organisation | None) -> str:
    return "" if organisation is None else normal_serial(organisation.serial_num)


def _lines(
    known: Mapping[str, V], past: Mapping[str, Sequence[Former[V]]], changes: Mapping[str, V | None], start: int
) -> Mapping[str, TimeLine[V]]:
    """The time lines of everything that changes or changed."""
    return {name: TimeLine.of(known.get(name), past.get(name, ()), start) for name in {**past, **changes}}


def _counted(lines: Mapping[str, TimeLine[V]]) -> set[str]:
    """What earlier syncs of this week harmed."""
    return {name for name, line in lines.items() if line.is_counted}


def _only(harms: Harms) -> Harms:
    return {name: why for name, why in harms.items() if why}


def _known(standing: Mapping[str, V], lines: Mapping[str, TimeLine[V]]) -> int:
    """How many were in force when the week began: newcomers must not make the share larger."""
    return sum(name not in lines for name in standing) + sum(line.is_old for line in lines.values())


def _with_services(harms: Harms, services: Iterable[tuple[str, tuple[str, ...]]]) -> Harms:
    """How organisations are harmed, themselves and by their services."""
    told = {code: list(why) for code, why in harms.items()}
    for operator, why in services:
        known = told.setdefault(operator, [])
        known += [words for words in (f"with a service {each}" for each in why) if words not in known]
    return {code: tuple(why) for code, why in told.items()}


def _too_many(harms: Harms, earlier: set[str], known: int, guard: Guard, words: str) -> Iterator[str]:
    """A sentence when the harmed of this sync and of earlier ones are too many, and this sync harms further ones."""
    total = len(earlier.union(harms))
    if total <= max(guard.share * known, guard.least) or earlier.issuperset(harms):
        return
    counts = Counter(each for why in harms.values() for each in why)
    told = ", ".join(f"{count} {each}" for each, count in sorted(counts.items()))
    before = sorted(earlier.difference(harms))
    more = f"; {len(before)} by earlier syncs: {_named(before)}" if before else ""
    yield f"{total} {words} within {WINDOW_DAYS} days: {told}{more}"


def _named(found: Sequence[str]) -> str:
    more = len(found) - _NAMED_MOST
    told = ", ".join(found[:_NAMED_MOST])
    return f"{told} and {more} more" if more > 0 else told
