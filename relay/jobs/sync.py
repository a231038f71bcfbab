"""The portal's registry, asked for and judged, then taken whole, held whole, or left: 지원-002, then 지원-003."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from typing import Final, NamedTuple, Protocol

from relay.domain.portal import Portal, PortalAway, PortalRefused
from relay.domain.registry import (
    Discarded,
    Held,
    Past,
    RegisteredService,
    Registry,
    RegistryBook,
    RegistryChanges,
    RegistryMoved,
)
from relay.jobs.runner import JobFailed
from relay.policy.registry.changes import drop_discarded
from relay.policy.registry.guard import WINDOW_S, judge
from relay.policy.registry.messages import EVERYTHING, is_far_ahead
from relay.policy.registry.organizations import ListedOrganisations, compare_with_registry, read_organisations
from relay.policy.registry.rows import InvalidBody
from relay.policy.registry.services import ListedService, ListedServices, read_services
from relay.policy.settings.portal import Guard, SyncLimits

_DAY_S: Final = 86_400
_TIMES: Final = 4
"""So often a sync begins before it gives up because others change the registry."""
_FAR_AHEAD: Final = "the portal's search_timestamp is more than a day ahead: everything is asked for again"
_LET_GO: Final = "what was held is let go: all that the portal lists is harmless now"


class Hasher(Protocol):
    """Who turns the portal's secrets into what may be kept."""

    def mark(self, client_id: str, secret: str) -> bytes:
        """What tells whether a service's secret is the same as before."""

    def is_comparable(self, mark: bytes) -> bool:
        """Whether a mark was made with the key of today: then another mark is another secret."""

    async def hashed(self, secrets: Sequence[str]) -> Sequence[str]:
        """The slow hashes of these secrets, in their order."""

    async def fit(self, pairs: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Whether each of these is a secret and its slow hash, in their order."""


class SyncFailed(JobFailed):
    """Nothing was taken. `problems` say why, each with place and rule, at most 100 of all that were found."""

    def __init__(self, said: str, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join((said, *problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class _Known:
    """What a sync is held against: the registry, what is held, what was, and what a person threw away."""

    registry: Registry
    held: Held | None
    past: Past
    discarded: Sequence[Discarded]

    def services(self, client_id: str) -> list[RegisteredService]:
        """Every form of a service whose secret was hashed before."""
        told = [self.registry, *([self.held.changes] if self.held else ()), *(one.changes for one in self.discarded)]
        former = [step.value for step in self.past.services.get(client_id, ())]
        found = [*(one.services.get(client_id) for one in told), *former]
        return [one for one in found if one is not None and one.secret_hash]


class _Heard(NamedTuple):
    """What differs from the registry, with the services as they were told, and how many of nobody are left out.

    A service whose secret is new has no secret_hash yet.
    """

    changes: RegistryChanges
    told: Mapping[str, ListedService | None]
    left_out: int


@dataclass(frozen=True, slots=True)
class Sync:
    """Asks the portal and keeps what it says. `relay` is our own org_code.

    Everything is read and judged before anything is written. Secrets are judged by their marks; those that are new are
    hashed once it is known that they are taken or held. While something is held, everything is asked for: what
    changed since then says nothing of it. So the whole difference is judged anew, and held again, or taken when it is
    harmless by then. One sync is under way at a time: what one heard earlier must not undo what another took since.

    Before anything is asked, the consents to operators and services that are away for `forget_days` end: who comes
    back later than that begins anew.
    """

    portal: Portal
    book: RegistryBook
    hasher: Hasher
    guard: Guard
    relay: str
    forget_days: int = 7
    limits: SyncLimits = field(default_factory=SyncLimits)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    async def run(self, *, full: bool, fence: int, now: int) -> str:
        """One sync, of everything when `full` is set, something is held, or nothing was heard; the outcome in words.

        When somebody releases what is held meanwhile, it begins anew, with everything. Raises SyncFailed when the
        portal gave nothing that can be used, JobFailed when the registry changes each time, Superseded.
        """
        async with self.turn:
            forgotten = await self.book.forget_away(now - self.forget_days * _DAY_S, fence, now)
            for anew in range(_TIMES):
                with suppress(RegistryMoved):
                    outcome = await self._once(full=full or anew > 0, fence=fence, now=now)
                    return "; ".join((outcome, *self._forgotten(forgotten)))
        raise JobFailed(f"the registry was changed by others while the portal was asked, {_TIMES} times in a row")

    async def _once(self, *, full: bool, fence: int, now: int) -> str:
        """Ask, judge and write, once. Raises RegistryMoved when it was judged by a registry of the past."""
        known = await self._what_is_known(now)
        registry, held = known.registry, known.held
        heard = await self._heard(known, full=full or held is not None)
        wanted, discarded = drop_discarded(heard.changes, known.discarded)
        self._check_number_of_secrets(wanted)
        judged, remarks = _timed(wanted, now)
        remarks += (*_left_out(heard.left_out), *discarded)
        judgement = await asyncio.to_thread(judge, registry, judged, known.past, self.guard, self.relay, now)
        changes = await self._with_hashes(judged, heard.told)
        if why := judgement.reasons:
            await self.book.hold(changes, why, fence, now, judged=registry.number)
            return "; ".join((f"held until a person releases it: {why[0]}", *why[1:], *remarks))
        await self.book.take(changes, fence, now, judged=registry.number, counted=judgement.counted)
        taken = f"taken: {told(registry, changes)}" if changes else "nothing changed"
        return "; ".join((taken, *remarks) if held is None else (taken, _LET_GO, *remarks))

    async def _what_is_known(self, now: int) -> _Known:
        held, registry = await self.book.held(), await self.book.registry()
        past = await self.book.past(now - max(WINDOW_S, self.forget_days * _DAY_S))
        return _Known(registry, held, past, await self.book.discarded(now - WINDOW_S))

    def _forgotten(self, count: int) -> tuple[str, ...]:
        consents = "1 consent" if count == 1 else f"{count} consents"
        away = f"away for more than {self.forget_days} days"
        return (f"{consents} to operators or services {away} ended",) if count else ()

    async def ahead(self, now: int) -> RegistryChanges:
        """What a sync of everything would change now; nothing is written. Raises SyncFailed."""
        return (await self._heard(await self._what_is_known(now), full=True)).changes

    async def _heard(self, known: _Known, *, full: bool) -> _Heard:
        """Ask the portal and compare. Raises SyncFailed."""
        registry = known.registry
        try:
            organisations = await self._organisations(registry, EVERYTHING if full else registry.orgs_timestamp)
            since = EVERYTHING if full or _newcomers(registry, organisations) else registry.services_timestamp
            services = await self._services(registry, organisations, since)
        except (PortalAway, PortalRefused) as error:
            raise SyncFailed(f"the portal gave no registry: {error}", ()) from error
        kept = await self._kept(known, services.told)
        changes = await asyncio.to_thread(compare_with_registry, registry, organisations, kept, services.timestamp)
        return _Heard(changes, services.told, services.left_out)

    async def _organisations(self, registry: Registry, since: str) -> ListedOrganisations:
        body = await self.portal.organisations(since)
        try:
            return await asyncio.to_thread(read_organisations, body, registry, since)
        except InvalidBody as unfit:
            raise _unfit("지원-002", unfit) from unfit

    async def _services(self, registry: Registry, organisations: ListedOrganisations, since: str) -> ListedServices:
        body = await self.portal.services(since)
        try:
            return await asyncio.to_thread(read_services, body, registry, organisations, since, self.limits)
        except InvalidBody as unfit:
            raise _unfit("지원-003", unfit) from unfit

    async def _kept(
        self, known: _Known, services: Mapping[str, ListedService | None]
    ) -> Mapping[str, RegisteredService | None]:
        """Services with the hashes of their secrets, as far as they were hashed before; nothing is hashed here.

        A secret is known by its mark. Where the key of the marks is another one by now, it is compared with the hash
        that stands: once, since the service is kept with a mark of today then.
        """
        live = [one for one in services.values() if one is not None]
        kept = await asyncio.to_thread(lambda: {one.client_id: self._known(one, known) for one in live})
        hashes = {
            one.client_id: standing.secret_hash
            for one in live
            if (standing := known.registry.services.get(one.client_id)) is not None
            if not kept[one.client_id].secret_hash and not self.hasher.is_comparable(standing.secret_mark)
        }
        unmarked = [one for one in live if hashes.get(one.client_id)]
        fits = await self.hasher.fit([(one.secret, hashes[one.client_id]) for one in unmarked])
        for one, same in zip(unmarked, fits, strict=True):
            if same:
                kept[one.client_id] = replace(kept[one.client_id], secret_hash=hashes[one.client_id])
        return dict.fromkeys(services) | kept

    def _check_number_of_secrets(self, changes: RegistryChanges) -> None:
        """Raise SyncFailed when a sync brings more secrets to be hashed than one sync may."""
        count, most = len(_unhashed(changes)), self.limits.secrets
        if count > most:
            rule = f"{count} client secrets are new, {most} at most (portal.limits.secrets)"
            raise SyncFailed("지원-003 is not fit to be taken: 1 problem:", (rule,))

    async def _with_hashes(
        self, changes: RegistryChanges, services: Mapping[str, ListedService | None]
    ) -> RegistryChanges:
        """Changes with the hashes of the secrets that are new in them."""
        new = _unhashed(changes)
        secrets = [one.secret for client_id in new if (one := services[client_id]) is not None]
        hashes = dict(zip(new, await self.hasher.hashed(secrets), strict=True))
        kept = {name: replace(one, secret_hash=hashes[name]) for name, one in new.items()}
        return replace(changes, services={**changes.services, **kept}) if kept else changes

    def _known(self, one: ListedService, known: _Known) -> RegisteredService:
        """A service as it is kept; its secret_hash "" when no mark says that this secret was hashed before."""
        mark = self.hasher.mark(one.client_id, one.secret)
        same = (
            former.secret_hash for former in known.services(one.client_id) if compare_digest(former.secret_mark, mark)
        )
        return RegisteredService(
            one.client_id, one.operator, one.name, next(same, ""), one.callbacks, one.app_schemes, secret_mark=mark
        )


def told(registry: Registry, changes: RegistryChanges) -> str:
    """Changes in words: how many are new, changed and gone, of organisations and of services."""
    organisations = _counted(registry.organisations, changes.organisations)
    services = _counted(registry.services, changes.services)
    return f"organisations {organisations}; services {services}"


def _counted(known: Mapping[str, object], changes: Mapping[str, object]) -> str:
    gone = sum(new is None for new in changes.values())
    new = sum(key not in known for key in changes)
    return f"{new} new, {len(changes) - new - gone} changed, {gone} gone"


def _unhashed(changes: RegistryChanges) -> Mapping[str, RegisteredService]:
    """Services of these changes whose secrets are new."""
    return {name: one for name, one in changes.services.items() if one is not None and not one.secret_hash}


def _timed(changes: RegistryChanges, now: int) -> tuple[RegistryChanges, tuple[str, ...]]:
    """Changes that are asked from next with a time the portal can have meant, and a remark when it told another."""
    stamps = (changes.orgs_timestamp, changes.services_timestamp)
    fit = [EVERYTHING if is_far_ahead(stamp, now) else stamp for stamp in stamps]
    timed = replace(changes, orgs_timestamp=fit[0], services_timestamp=fit[1])
    return timed, () if timed == changes else (_FAR_AHEAD,)


def _left_out(count: int) -> tuple[str, ...]:
    services = "1 service" if count == 1 else f"{count} services"
    return (f"{services} of organisations that go or are unknown left out",) if count else ()


def _newcomers(registry: Registry, organisations: ListedOrganisations) -> bool:
    """Whether somebody who may call comes, perhaps back: its services need not be in a delta."""
    return any(
        one is not None and one.calls and code not in registry.organisations for code, one in organisations.told.items()
    )


def _unfit(api_id: str, unfit: InvalidBody) -> SyncFailed:
    problems = "1 problem" if unfit.count == 1 else f"{unfit.count} problems"
    first = f", the first {len(unfit.problems)}" if unfit.count > len(unfit.problems) else ""
    return SyncFailed(f"{api_id} is not fit to be taken: {problems}{first}:", unfit.problems)
