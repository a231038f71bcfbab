"""Decides whether a sync is held for an administrator because it harms more of the registry than a sync may.

A portal that sends half of its data, or an attacker in its place, must not empty or redirect the registry: neither in
one sync nor in many small ones. An administrator reviews and releases a held sync; the last good registry stays in use.
`policy.registry.harms` decides what harms one organisation or service.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from relay.domain.ids import normalize_serial
from relay.domain.korea import DAY_S
from relay.domain.registry import (
    NO_PARTIES,
    FormerValue,
    Organisation,
    PartySet,
    RegisteredService,
    Registry,
    RegistryChanges,
    RegistryHistory,
)
from relay.policy.registry.harms import MOVED, Timeline, find_organisation_harms, find_service_harms, is_replaced
from relay.policy.settings.portal import Guard

WINDOW_DAYS: Final = 7
"""Syncs of this many days count together."""
WINDOW_S: Final = WINDOW_DAYS * DAY_S

MAX_SHARED: Final = 20
"""Maximum number of org_codes of one company that share a certificate. Gateways check each of them on every call."""

_MAX_NAMED: Final = 10
"""Maximum number of organisations named in one sentence; the others are counted."""

Harms = Mapping[str, tuple[str, ...]]
"""Harms of each organisation or service, in words; unharmed ones are missing."""

V = TypeVar("V", bound=Organisation | RegisteredService)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Result for one sync. `reasons` are sentences why it is held, () when it may pass.

    `counted` are parties it harms, which count for a week; `harmful` is everything in it that may be unwanted.
    """

    reasons: tuple[str, ...] = ()
    counted: PartySet = NO_PARTIES
    harmful: PartySet = NO_PARTIES


def judge(
    registry: Registry, changes: RegistryChanges, past: RegistryHistory, guard: Guard, relay: str, now: int
) -> Judgement:
    """Judges a sync together with the syncs of the last week. The first load into an empty registry passes.

    `relay` is our own org_code: a list without it is incomplete. `past` reaches back at least a week.
    """
    if not registry.organisations:
        return Judgement()
    sync = _Sync(registry, changes, past, relay, now - WINDOW_S)
    reasons = (
        *sync.check_organisations(guard),
        *sync.check_replaced(),
        *sync.check_services(guard),
        *sync.check_moved(),
        *sync.check_own_entry(),
        *sync.check_shared_serials(),
    )
    return Judgement(reasons, sync.counted(), sync.harmful())


class _Sync:
    """One sync, the registry and its last week, which began at `start`."""

    def __init__(
        self, registry: Registry, changes: RegistryChanges, past: RegistryHistory, relay: str, start: int
    ) -> None:
        self._registry, self._changes, self._relay = registry, changes, relay
        self._org_timelines = _build_timelines(registry.organisations, past.organisations, changes.organisations, start)
        self._service_timelines = _build_timelines(registry.services, past.services, changes.services, start)
        self._org_harms = _drop_unharmed(
            {
                code: find_organisation_harms(self._org_timelines[code], org, relay)
                for code, org in changes.organisations.items()
            }
        )
        self._harms = _drop_unharmed(
            {
                name: find_service_harms(self._service_timelines[name], service)
                for name, service in changes.services.items()
            }
        )
        self._own_harms = {
            name: harms for name, harms in self._harms.items() if not self._is_removed(self._operator(name))
        }

    def check_organisations(self, guard: Guard) -> Iterator[str]:
        """Checks that a week harms no more organisations than the share; each counts once."""
        harms = _merge_service_harms(
            self._org_harms, ((self._operator(name), why) for name, why in self._own_harms.items())
        )
        earlier = _harmed_earlier(self._org_timelines) | {
            self._operator(name) for name in _harmed_earlier(self._service_timelines)
        }
        known = _count_known(self._registry.organisations, self._org_timelines)
        words = f"of {known} organisations would be cut off, re-keyed, redirected or re-timed"
        yield from _check_share(harms, earlier, known, guard, words)

    def check_replaced(self) -> Iterator[str]:
        """Checks that no organisation changes certificate and addresses within a week."""
        new = self._changes.organisations
        codes = [code for code, org in new.items() if is_replaced(self._org_timelines[code], org)]
        if codes:
            yield f"serial_num and addresses would change within {WINDOW_DAYS} days: {_join_names(codes)}"

    def check_services(self, guard: Guard) -> Iterator[str]:
        """Checks that a week harms no more services than the share, and that one is left while operators stay."""
        known = _count_known(self._registry.services, self._service_timelines)
        words = f"of {known} services whose operators stay would be removed, re-keyed or redirected"
        yield from _check_share(self._own_harms, _harmed_earlier(self._service_timelines), known, guard, words)
        remaining = dict.fromkeys(self._registry.services, True) | {
            name: service is not None for name, service in self._changes.services.items()
        }
        if known > 1 and not any(remaining.values()) and self._own_harms:
            yield "no service would be left, though operators stay"

    def check_moved(self) -> Iterator[str]:
        """Checks that no service moves to another operator: it would take its consents along."""
        moved = [name for name, texts in self._harms.items() if MOVED in texts]
        if moved:
            pairs = [f"{self._operator(name)} to {self._new_operator(name)}" for name in moved]
            yield f"services would pass from one operator to another: {_join_names(pairs)}"

    def check_own_entry(self) -> Iterator[str]:
        """Checks that the relay's own entry stays."""
        if self._relay in self._registry.organisations and self._is_removed(self._relay):
            yield f"this relay itself would be removed: {self._relay}"

    def check_shared_serials(self) -> Iterator[str]:
        """Checks that few organisations share a serial_num: more would slow down every call with it, also of others."""
        if overshared := self._overshared_serials():
            words = [f"{count} with {serial}" for serial, count in sorted(overshared.items())]
            yield f"more than {MAX_SHARED} organisations would share a serial_num: {_join_names(words)}"

    def _overshared_serials(self) -> Mapping[str, int]:
        """Returns serial numbers that this sync assigns and that more than MAX_SHARED organisations would have.

        Serial numbers are in their normal form; the values are numbers of organisations.
        """
        new = {code: org for code, org in self._changes.organisations.items() if org is not None}
        former = {code: self._registry.organisations.get(code) for code in new}
        given = {_serial(org) for code, org in new.items() if _serial(org) != _serial(former[code])} - {""}
        organisations = {**self._registry.organisations, **self._changes.organisations}
        counts = Counter(_serial(org) for org in organisations.values() if org is not None)
        return {serial: counts[serial] for serial in given if counts[serial] > MAX_SHARED}

    def counted(self) -> PartySet:
        """Returns parties that count from now on."""
        return PartySet(frozenset(self._org_harms), frozenset(self._own_harms))

    def harmful(self) -> PartySet:
        """Returns counted parties and all other held ones: replaced, orphaned services, shared serials, the relay."""
        new = self._changes.organisations
        replaced = {code for code, org in new.items() if is_replaced(self._org_timelines[code], org)}
        own = {self._relay} & {code for code, org in new.items() if org is None}
        overshared = self._overshared_serials()
        sharing = {code for code, org in new.items() if _serial(org) in overshared}
        orphaned = {name for name in self._changes.services if self._is_removed(self._operator(name))}
        return PartySet(frozenset({*self._org_harms, *replaced, *own, *sharing}), frozenset({*self._harms, *orphaned}))

    def _is_removed(self, org_code: str) -> bool:
        return org_code in self._changes.organisations and self._changes.organisations[org_code] is None

    def _operator(self, client_id: str) -> str:
        """Returns the former operator of a service."""
        known = self._service_timelines[client_id].reference
        return known.operator if known is not None else ""

    def _new_operator(self, client_id: str) -> str:
        new = self._changes.services[client_id]
        return new.operator if new is not None else ""


def _serial(organisation: Organisation | None) -> str:
    return "" if organisation is None else normalize_serial(organisation.serial_num)


def _build_timelines(
    known: Mapping[str, V], past: Mapping[str, Sequence[FormerValue[V]]], changes: Mapping[str, V | None], start: int
) -> Mapping[str, Timeline[V]]:
    """Returns timelines of everything that changes or changed."""
    return {name: Timeline.of(known.get(name), past.get(name, ()), start) for name in {**past, **changes}}


def _harmed_earlier(timelines: Mapping[str, Timeline[V]]) -> set[str]:
    """Returns keys that earlier syncs of this week harmed."""
    return {name for name, timeline in timelines.items() if timeline.is_counted}


def _drop_unharmed(harms: Harms) -> Harms:
    return {name: texts for name, texts in harms.items() if texts}


def _count_known(current: Mapping[str, V], timelines: Mapping[str, Timeline[V]]) -> int:
    """Returns how many were in force when the week began: new ones must not enlarge the share."""
    return sum(name not in timelines for name in current) + sum(timeline.is_old for timeline in timelines.values())


def _merge_service_harms(harms: Harms, services: Iterable[tuple[str, tuple[str, ...]]]) -> Harms:
    """Returns harms of organisations, their own and those of their services."""
    merged = {code: list(harms_) for code, harms_ in harms.items()}
    for operator, harms_ in services:
        texts = merged.setdefault(operator, [])
        texts += [text for text in (f"with a service {harm}" for harm in harms_) if text not in texts]
    return {code: tuple(harms_) for code, harms_ in merged.items()}


def _check_share(harms: Harms, earlier: set[str], known: int, guard: Guard, words: str) -> Iterator[str]:
    """Yields a sentence when this sync and earlier ones harm too many, and this sync harms further ones."""
    total = len(earlier.union(harms))
    if total <= max(guard.share * known, guard.least) or earlier.issuperset(harms):
        return
    counts = Counter(harm for texts in harms.values() for harm in texts)
    summary = ", ".join(f"{count} {harm}" for harm, count in sorted(counts.items()))
    before = sorted(earlier.difference(harms))
    suffix = f"; {len(before)} by earlier syncs: {_join_names(before)}" if before else ""
    yield f"{total} {words} within {WINDOW_DAYS} days: {summary}{suffix}"


def _join_names(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMED
    listed = ", ".join(names[:_MAX_NAMED])
    return f"{listed} and {more} more" if more > 0 else listed
