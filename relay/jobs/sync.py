"""Synchronizes the portal's registry: 지원-002, then 지원-003. A sync is applied whole, held whole, or rejected."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from typing import Final, NamedTuple, Protocol

from relay.domain.korea import DAY_S
from relay.domain.portal import Portal, PortalDown, PortalRefused
from relay.domain.registry import (
    Discard,
    HeldSync,
    RegisteredService,
    Registry,
    RegistryChanged,
    RegistryChanges,
    RegistryHistory,
    RegistryStore,
)
from relay.jobs.runner import JobFailed
from relay.policy.registry.changes import drop_discarded
from relay.policy.registry.guard import WINDOW_S, judge
from relay.policy.registry.messages import EVERYTHING, is_far_ahead
from relay.policy.registry.organisations import ListedOrganisations, compare_with_registry, read_organisations
from relay.policy.registry.rows import InvalidBody
from relay.policy.registry.services import ListedService, ListedServices, read_services
from relay.policy.settings.portal import Guard, SyncLimits

_TIMES: Final = 4
"""Maximum number of attempts while the registry changes concurrently."""
_FAR_AHEAD: Final = "the portal's search_timestamp is more than a day ahead: everything is requested again"
_DROPPED: Final = "the held sync is dropped: the portal lists nothing harmful any more"


class Hasher(Protocol):
    """Hashes the portal's secrets for storage."""

    def mark(self, client_id: str, secret: str) -> bytes:
        """Returns an HMAC that is equal when a service's secret is equal."""

    def is_comparable(self, mark: bytes) -> bool:
        """Returns whether a mark was made with today's key: then a different mark means a different secret."""

    async def hash_all(self, secrets: Sequence[str]) -> Sequence[str]:
        """Returns slow hashes of these secrets, in order."""

    async def match(self, pairs: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Returns for each pair of secret and slow hash whether they match, in order."""


class SyncFailed(JobFailed):
    """Nothing was applied. `problems` are the reasons with place and rule, at most 100."""

    def __init__(self, summary: str, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join((summary, *problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class _Known:
    """State that a sync is judged against: registry, held sync, former values, discarded changes."""

    registry: Registry
    held: HeldSync | None
    past: RegistryHistory
    discarded: Sequence[Discard]

    def services(self, client_id: str) -> list[RegisteredService]:
        """Returns every known version of a service whose secret was hashed."""
        sources = [
            self.registry,
            *([self.held.changes] if self.held else ()),
            *(discard.changes for discard in self.discarded),
        ]
        former = [step.value for step in self.past.services.get(client_id, ())]
        versions = [*(source.services.get(client_id) for source in sources), *former]
        return [version for version in versions if version is not None and version.secret_hash]


class _Difference(NamedTuple):
    """Differences from the registry, the listed services, and the number of skipped services.

    A service whose secret is new has no secret_hash yet.
    """

    changes: RegistryChanges
    services: Mapping[str, ListedService | None]
    left_out: int


@dataclass(frozen=True, slots=True)
class RegistrySync:
    """Reads the portal's registry and stores it. `relay` is our own org_code.

    Everything is read and judged before anything is written. Secrets are compared by their marks; new ones are hashed
    after it is decided that they are applied or held. While a sync is held, everything is requested: a delta would not
    repeat the held changes. So the whole difference is judged again, and held again, or applied when it became
    harmless. Syncs run one at a time: a slow one must not undo what a later one applied.

    First, consents to operators and services that were removed more than `forget_days` ago end; a party that returns
    later needs new ones.
    """

    portal: Portal
    store: RegistryStore
    hasher: Hasher
    guard: Guard
    relay: str
    forget_days: int = 7
    limits: SyncLimits = field(default_factory=SyncLimits)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    async def run(self, *, full: bool, fence: int, now: int) -> str:
        """Runs one sync, of everything when `full` is set, one is held, or none was applied yet. Returns the outcome.

        It starts again with everything when a held sync is released meanwhile. Raises SyncFailed when the portal sent
        nothing usable, JobFailed when the registry changes each time, and Superseded.
        """
        async with self.turn:
            ended = await self.store.end_orphaned_consents(now - self.forget_days * DAY_S, fence, now)
            for attempt in range(_TIMES):
                with suppress(RegistryChanged):
                    outcome = await self._sync_once(full=full or attempt > 0, fence=fence, now=now)
                    return "; ".join((outcome, *self._describe_ended(ended)))
        raise JobFailed(f"the registry was changed concurrently, {_TIMES} times in a row")

    async def _sync_once(self, *, full: bool, fence: int, now: int) -> str:
        """Reads, judges and writes once. Raises RegistryChanged when the registry changed meanwhile."""
        known = await self._load_known(now)
        registry, held = known.registry, known.held
        difference = await self._read_portal(known, full=full or held is not None)
        remaining, discarded = drop_discarded(difference.changes, known.discarded)
        self._check_number_of_secrets(remaining)
        judged, remarks = _check_timestamps(remaining, now)
        remarks += (*_describe_left_out(difference.left_out), *discarded)
        judgement = await asyncio.to_thread(judge, registry, judged, known.past, self.guard, self.relay, now)
        changes = await self._with_hashes(judged, difference.services)
        if reasons := judgement.reasons:
            await self.store.hold(changes, reasons, fence, now, judged=registry.number)
            return "; ".join((f"held until a person releases it: {reasons[0]}", *reasons[1:], *remarks))
        await self.store.apply(changes, fence, now, judged=registry.number, counted=judgement.counted)
        taken = f"taken: {describe_changes(registry, changes)}" if changes else "nothing changed"
        return "; ".join((taken, *remarks) if held is None else (taken, _DROPPED, *remarks))

    async def _load_known(self, now: int) -> _Known:
        held, registry = await self.store.held(), await self.store.registry()
        past = await self.store.past(now - max(WINDOW_S, self.forget_days * DAY_S))
        return _Known(registry, held, past, await self.store.discarded(now - WINDOW_S))

    def _describe_ended(self, count: int) -> tuple[str, ...]:
        consents = "1 consent" if count == 1 else f"{count} consents"
        condition = f"away for more than {self.forget_days} days"
        return (f"{consents} to operators or services {condition} ended",) if count else ()

    async def preview(self, now: int) -> RegistryChanges:
        """Returns what a sync of everything would change now; writes nothing. Raises SyncFailed."""
        return (await self._read_portal(await self._load_known(now), full=True)).changes

    async def _read_portal(self, known: _Known, *, full: bool) -> _Difference:
        """Reads the portal's lists and compares them with the registry. Raises SyncFailed."""
        registry = known.registry
        try:
            organisations = await self._organisations(registry, EVERYTHING if full else registry.orgs_timestamp)
            since = EVERYTHING if full or _has_new_callers(registry, organisations) else registry.services_timestamp
            services = await self._services(registry, organisations, since)
        except (PortalDown, PortalRefused) as error:
            raise SyncFailed(f"the portal gave no registry: {error}", ()) from error
        kept = await self._with_known_hashes(known, services.services)
        changes = await asyncio.to_thread(compare_with_registry, registry, organisations, kept, services.timestamp)
        return _Difference(changes, services.services, services.left_out)

    async def _organisations(self, registry: Registry, since: str) -> ListedOrganisations:
        body = await self.portal.organisations(since)
        try:
            return await asyncio.to_thread(read_organisations, body, registry, since)
        except InvalidBody as error:
            raise _invalid_body("지원-002", error) from error

    async def _services(self, registry: Registry, organisations: ListedOrganisations, since: str) -> ListedServices:
        body = await self.portal.services(since)
        try:
            return await asyncio.to_thread(read_services, body, registry, organisations, since, self.limits)
        except InvalidBody as error:
            raise _invalid_body("지원-003", error) from error

    async def _with_known_hashes(
        self, known: _Known, services: Mapping[str, ListedService | None]
    ) -> Mapping[str, RegisteredService | None]:
        """Returns services with known hashes of their secrets; hashes nothing.

        A secret is recognized by its mark. When the key of the marks changed, it is compared with the stored hash
        once, because the service is then stored with a mark of today's key.
        """
        listed = [service for service in services.values() if service is not None]
        result = await asyncio.to_thread(
            lambda: {service.client_id: self._to_stored(service, known) for service in listed}
        )
        hashes = {
            service.client_id: stored.secret_hash
            for service in listed
            if (stored := known.registry.services.get(service.client_id)) is not None
            if not result[service.client_id].secret_hash and not self.hasher.is_comparable(stored.secret_mark)
        }
        unmarked = [service for service in listed if hashes.get(service.client_id)]
        matching = await self.hasher.match([(service.secret, hashes[service.client_id]) for service in unmarked])
        for service, is_match in zip(unmarked, matching, strict=True):
            if is_match:
                result[service.client_id] = replace(result[service.client_id], secret_hash=hashes[service.client_id])
        return dict.fromkeys(services) | result

    def _check_number_of_secrets(self, changes: RegistryChanges) -> None:
        """Raises SyncFailed when a sync has more new secrets than the limit."""
        count, allowed = len(_unhashed(changes)), self.limits.secrets
        if count > allowed:
            rule = f"{count} client secrets are new, {allowed} at most (portal.limits.secrets)"
            raise SyncFailed("지원-003 is invalid: 1 problem:", (rule,))

    async def _with_hashes(
        self, changes: RegistryChanges, services: Mapping[str, ListedService | None]
    ) -> RegistryChanges:
        """Returns changes with hashes of their new secrets."""
        new = _unhashed(changes)
        secrets = [service.secret for client_id in new if (service := services[client_id]) is not None]
        hashes = dict(zip(new, await self.hasher.hash_all(secrets), strict=True))
        hashed = {name: replace(service, secret_hash=hashes[name]) for name, service in new.items()}
        return replace(changes, services={**changes.services, **hashed}) if hashed else changes

    def _to_stored(self, service: ListedService, known: _Known) -> RegisteredService:
        """Returns a service for storage; secret_hash is "" when no mark proves that its secret was hashed before."""
        mark = self.hasher.mark(service.client_id, service.secret)
        hashes = (
            former.secret_hash
            for former in known.services(service.client_id)
            if compare_digest(former.secret_mark, mark)
        )
        return RegisteredService(
            client_id=service.client_id,
            operator=service.operator,
            name=service.name,
            secret_hash=next(hashes, ""),
            callbacks=service.callbacks,
            app_schemes=service.app_schemes,
            secret_mark=mark,
        )


def describe_changes(registry: Registry, changes: RegistryChanges) -> str:
    """Describes changes: how many organisations and services are new, changed and gone."""
    organisations = _count_changes(registry.organisations, changes.organisations)
    services = _count_changes(registry.services, changes.services)
    return f"organisations {organisations}; services {services}"


def _count_changes(known: Mapping[str, object], changes: Mapping[str, object]) -> str:
    gone = sum(new is None for new in changes.values())
    new = sum(key not in known for key in changes)
    return f"{new} new, {len(changes) - new - gone} changed, {gone} gone"


def _unhashed(changes: RegistryChanges) -> Mapping[str, RegisteredService]:
    """Returns services whose secrets are new."""
    return {
        name: service for name, service in changes.services.items() if service is not None and not service.secret_hash
    }


def _check_timestamps(changes: RegistryChanges, now: int) -> tuple[RegistryChanges, tuple[str, ...]]:
    """Returns changes with plausible timestamps, and a remark when one was too far ahead."""
    stamps = (changes.orgs_timestamp, changes.services_timestamp)
    plausible = [EVERYTHING if is_far_ahead(stamp, now) else stamp for stamp in stamps]
    corrected = replace(changes, orgs_timestamp=plausible[0], services_timestamp=plausible[1])
    return corrected, () if corrected == changes else (_FAR_AHEAD,)


def _describe_left_out(count: int) -> tuple[str, ...]:
    services = "1 service" if count == 1 else f"{count} services"
    return (f"{services} of organisations that go or are unknown left out",) if count else ()


def _has_new_callers(registry: Registry, organisations: ListedOrganisations) -> bool:
    """Returns whether a calling organisation is new or returns: its services may be missing in a delta."""
    return any(
        org is not None and org.may_call and code not in registry.organisations
        for code, org in organisations.organisations.items()
    )


def _invalid_body(api_id: str, error: InvalidBody) -> SyncFailed:
    problems = "1 problem" if error.count == 1 else f"{error.count} problems"
    first = f", the first {len(error.problems)}" if error.count > len(error.problems) else ""
    return SyncFailed(f"{api_id} is invalid: {problems}{first}:", error.problems)
