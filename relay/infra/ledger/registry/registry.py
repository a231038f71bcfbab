"""The portal's registry in the ledger: taken sync by sync, followed by number, held back until a person says so."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, Row, Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.registry import (
    COUNTS_NONE,
    Counted,
    Discarded,
    Held,
    NothingHeld,
    Past,
    Registry,
    RegistryChanges,
    RegistryHead,
    RegistryMoved,
)
from relay.infra.ledger.database.portal_tables import (
    ORGANISATIONS,
    REGISTRY_DISCARDED,
    REGISTRY_HEAD,
    REGISTRY_HELD,
    SERVICES,
)
from relay.infra.ledger.database.upsert import upserting
from relay.infra.ledger.registry import history as registry_past
from relay.infra.ledger.registry.history import Step
from relay.infra.ledger.registry.rows import (
    Values,
    changes_id,
    changes_of,
    changes_text,
    organisation_of,
    organisation_values,
    service_of,
    service_values,
)
from relay.infra.ledger.transaction import Work, Works

CHUNK: Final = 500
"""So many rows in one statement."""


class _Kind(NamedTuple):
    """What the registry keeps of one kind: its table and how a row is made."""

    name: str
    table: Table
    key: Column[Any]
    values: Callable[[str, Any], Values]


_ORGANISATIONS: Final = _Kind("organisation", ORGANISATIONS, ORGANISATIONS.c.org_code, organisation_values)
_SERVICES: Final = _Kind("service", SERVICES, SERVICES.c.client_id, service_values)


class SqlRegistry:
    """`domain.registry.RegistryBook` over SQLite or PostgreSQL. Every method may raise Unreachable."""

    def __init__(self, works: Works) -> None:
        self._works = works

    async def registry_head(self) -> RegistryHead:
        """Where the registry stands."""
        joined = REGISTRY_HEAD.outerjoin(REGISTRY_HELD, REGISTRY_HELD.c.one == REGISTRY_HEAD.c.one)
        wanted = select(REGISTRY_HEAD.c.number, REGISTRY_HEAD.c.synced_at, REGISTRY_HELD.c.since).select_from(joined)
        async with self._works.reading() as rows:
            row = (await rows.execute(wanted)).one()
        return RegistryHead(row.number, row.synced_at, row.since or 0)

    async def registry_after(self, number: int, most: int) -> tuple[int, RegistryChanges]:
        """At most `most` changes after `number`, in their order, and the number of the last; `number` when none."""
        async with self._works.snapshot() as rows:
            found = [row for kind in (_ORGANISATIONS, _SERVICES) for row in await _after(rows, kind, number, most)]
        some = sorted(found, key=lambda row: row["number"])[:most]
        changes = RegistryChanges(
            {row["org_code"]: organisation_of(row) for row in some if "org_code" in row},
            {row["client_id"]: service_of(row) for row in some if "client_id" in row},
            "",
            "",
        )
        return (some[-1]["number"] if some else number), changes

    async def registry(self) -> Registry:
        """All of it, of one moment."""
        async with self._works.snapshot() as rows:
            head = (await rows.execute(select(REGISTRY_HEAD))).one()
            organisations = [organisation_of(row) for row in await _standing(rows, _ORGANISATIONS)]
            services = [service_of(row) for row in await _standing(rows, _SERVICES)]
        return Registry(
            {each.org_code: each for each in organisations if each},
            {each.client_id: each for each in services if each},
            head.number,
            head.orgs_timestamp,
            head.services_timestamp,
            head.synced_at,
        )

    async def past(self, since: int) -> Past:
        """What was in force and was replaced after `since` (epoch seconds)."""
        async with self._works.reading() as rows:
            return await registry_past.past(rows, since)

    async def discarded(self, since: int) -> Sequence[Discarded]:
        """What was thrown away after `since`, the latest first."""
        async with self._works.reading() as rows:
            return await registry_past.discarded(rows, since)

    async def take(
        self, changes: RegistryChanges, fence: int, now: int, *, judged: int, counted: Counted = COUNTS_NONE
    ) -> int:
        """Apply a sync whole and let go of what was held; the number of the last change.

        Raises Superseded, or RegistryMoved when the registry has another number than `judged`.
        """
        async with self._works.writing(now, fence=fence) as work:
            return await _apply(work, await _locked_at(work, judged), changes, now, counted)

    async def hold(
        self, changes: RegistryChanges, reasons: tuple[str, ...], fence: int, now: int, *, judged: int
    ) -> Held:
        """Hold a sync back in the place of one that was held before. Raises Superseded or RegistryMoved.

        One that changes the same as the one before keeps its hold_id: who looks at it meanwhile can still release it.
        """
        held: Values = {
            "one": 1,
            "hold_id": changes_id(changes),
            "heard_at": now,
            "changes": changes_text(changes),
            "reasons": json.dumps(reasons),
        }
        async with self._works.writing(now, fence=fence) as work:
            await _locked_at(work, judged)
            before = await _held(work.rows)
            since = now if before is None else before.since
            row = {**held, "since": since}
            await work.rows.execute(upserting(work.rows, REGISTRY_HELD), row)
        return Held(held["hold_id"], since, changes, reasons)

    async def held(self) -> Held | None:
        """What is held."""
        async with self._works.reading() as rows:
            row = await _held(rows)
        if row is None:
            return None
        return Held(row.hold_id, row.since, changes_of(row.changes), tuple(json.loads(row.reasons)))

    async def release(self, hold_id: str, now: int) -> int:
        """Apply what is held; the number of the last change. Raises NothingHeld.

        The registry is then as fresh as the moment at which the portal told it.
        """
        async with self._works.writing(now) as work:
            head = await _locked(work)
            row = await _held(work.rows)
            if row is None or row.hold_id != hold_id:
                raise NothingHeld
            return await _apply(work, head, changes_of(row.changes), row.heard_at, None)

    async def discard(self, hold_id: str, changes: RegistryChanges, reason: str, now: int) -> None:
        """Throw away what is held. `changes` are those that later syncs leave out. Raises NothingHeld."""
        async with self._works.writing(now) as work:
            await _locked(work)
            row = await _held(work.rows)
            if row is None or row.hold_id != hold_id:
                raise NothingHeld
            discarded: Values = {"hold_id": hold_id, "at": now, "reason": reason, "changes": changes_text(changes)}
            await work.rows.execute(upserting(work.rows, REGISTRY_DISCARDED), discarded)
            await work.rows.execute(delete(REGISTRY_HELD))

    async def forget_away(self, limit: int, fence: int, now: int) -> int:
        """End the consents to operators and services that are away since before `limit`; how many there were.

        Each ends whole; many take several transactions. Raises Superseded.
        """
        count = 0
        while True:
            async with self._works.writing(now, fence=fence) as work:
                some = await registry_past.forget_some(work, limit)
            count += some
            if some < registry_past.BATCH:
                return count


async def _locked(work: Work) -> Row[Any]:
    """The head, nobody else's until the transaction ends: numbers become visible in their order."""
    return (await work.rows.execute(select(REGISTRY_HEAD).with_for_update())).one()


async def _locked_at(work: Work, judged: int) -> Row[Any]:
    """The head as `_locked` gives it, if it is the one that a sync was judged by. Raises RegistryMoved."""
    head = await _locked(work)
    if head.number != judged:
        raise RegistryMoved
    return head


async def _held(rows: AsyncConnection) -> Row[Any] | None:
    return (await rows.execute(select(REGISTRY_HELD))).one_or_none()


async def _after(rows: AsyncConnection, kind: _Kind, number: int, most: int) -> list[Mapping[str, Any]]:
    wanted = select(kind.table).where(kind.table.c.number > number).order_by(kind.table.c.number).limit(most)
    return [dict(row) for row in (await rows.execute(wanted)).mappings()]


async def _standing(rows: AsyncConnection, kind: _Kind) -> Sequence[Mapping[str, Any]]:
    wanted = select(kind.table).where(kind.table.c.gone.is_(False)).order_by(kind.key)
    return [dict(row) for row in (await rows.execute(wanted)).mappings()]


async def _apply(work: Work, head: Row[Any], changes: RegistryChanges, heard_at: int, counted: Counted | None) -> int:
    """Apply changes; `counted` is None when a person released them."""
    is_first = not await _any(work.rows)
    number: int = head.number
    harms = (None, None) if counted is None else (counted.organisations, counted.services)
    told = (changes.organisations, changes.services)
    for kind, new, harmed in zip((_ORGANISATIONS, _SERVICES), told, harms, strict=True):
        steps = await _write(work, kind, new, number)
        number += len(steps)
        await registry_past.keep_away(work, kind.name, steps)
        if not is_first:
            await registry_past.keep(work, kind.name, steps, harmed)
    stands = {
        "number": number,
        "orgs_timestamp": changes.orgs_timestamp,
        "services_timestamp": changes.services_timestamp,
        "synced_at": max(head.synced_at, heard_at),
    }
    await work.rows.execute(update(REGISTRY_HEAD).values(stands))
    await work.rows.execute(delete(REGISTRY_HELD))
    return number


async def _any(rows: AsyncConnection) -> bool:
    """Whether the registry knows an organisation."""
    wanted = select(ORGANISATIONS.c.org_code).where(ORGANISATIONS.c.gone.is_(False)).limit(1)
    return (await rows.execute(wanted)).first() is not None


async def _write(work: Work, kind: _Kind, told: Mapping[str, Any], number: int) -> list[Step]:
    """Write what differs from what stands, numbered from `number` on."""
    upsert = upserting(work.rows, kind.table)
    steps: list[Step] = []
    for keys in _chunks(sorted(told)):
        known = await _known(work.rows, kind, keys)
        wanted = [(key, kind.values(key, told[key])) for key in keys]
        new = [(key, values) for key, values in wanted if _differs(known.get(key), values)]
        if new:
            first = number + len(steps) + 1
            await work.rows.execute(upsert, [{**values, "number": first + at} for at, (_, values) in enumerate(new)])
            steps += [Step(first + at, key, known.get(key), values) for at, (key, values) in enumerate(new)]
    return steps


async def _known(rows: AsyncConnection, kind: _Kind, keys: Sequence[str]) -> dict[str, Values]:
    columns = [column for column in kind.table.c if column.name != "number"]
    found = (await rows.execute(select(*columns).where(kind.key.in_(keys)))).mappings()
    return {row[kind.key.name]: dict(row) for row in found}


def _differs(known: Values | None, values: Values) -> bool:
    """What is not there cannot go."""
    return not values["gone"] if known is None else known != values


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))
