"""The portal's registry in the ledger: syncs are applied whole, or held until a person releases them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, Row, Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.registry import (
    NO_PARTIES,
    Discard,
    HeldSync,
    NoHeldSync,
    PartySet,
    Registry,
    RegistryChanged,
    RegistryChanges,
    RegistryHead,
    RegistryHistory,
)
from relay.infra.ledger.database.portal_tables import (
    ORGANISATIONS,
    REGISTRY_DISCARDED,
    REGISTRY_HEAD,
    REGISTRY_HELD,
    SERVICES,
)
from relay.infra.ledger.database.upsert import upsert_into
from relay.infra.ledger.registry import history
from relay.infra.ledger.registry.history import Change
from relay.infra.ledger.registry.rows import (
    Values,
    dump_changes,
    dump_organisation,
    dump_service,
    hash_changes,
    read_changes,
    read_organisation,
    read_service,
)
from relay.infra.ledger.transaction import Transaction, Transactions

CHUNK: Final = 500
"""Rows in one statement."""


class _Kind(NamedTuple):
    """A kind of registry entry: its table and the function that makes a row."""

    name: str
    table: Table
    key: Column[Any]
    dump: Callable[[str, Any], Values]


_ORGANISATIONS: Final = _Kind("organisation", ORGANISATIONS, ORGANISATIONS.c.org_code, dump_organisation)
_SERVICES: Final = _Kind("service", SERVICES, SERVICES.c.client_id, dump_service)


class SqlRegistry:
    """`domain.registry.RegistryStore` over SQLite or PostgreSQL. Every method may raise LedgerDown."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def registry_head(self) -> RegistryHead:
        """Returns the number of the last change, and the times of the last sync and of the held one."""
        joined = REGISTRY_HEAD.outerjoin(REGISTRY_HELD, REGISTRY_HELD.c.one == REGISTRY_HEAD.c.one)
        query = select(REGISTRY_HEAD.c.number, REGISTRY_HEAD.c.synced_at, REGISTRY_HELD.c.since).select_from(joined)
        async with self._transactions.connect() as connection:
            row = (await connection.execute(query)).one()
        return RegistryHead(row.number, row.synced_at, row.since or 0)

    async def registry_after(self, number: int, limit: int) -> tuple[int, RegistryChanges]:
        """Returns the number of the last of at most `limit` changes after `number` (`number` when none), and them."""
        rows: list[Mapping[str, Any]] = []
        async with self._transactions.snapshot() as connection:
            for kind in (_ORGANISATIONS, _SERVICES):
                rows += await _load_after(connection, kind, number, limit)
        page = sorted(rows, key=lambda row: row["number"])[:limit]
        changes = RegistryChanges(
            {row["org_code"]: read_organisation(row) for row in page if "org_code" in row},
            {row["client_id"]: read_service(row) for row in page if "client_id" in row},
            "",
            "",
        )
        return (page[-1]["number"] if page else number), changes

    async def registry(self) -> Registry:
        """Returns the whole registry, of one moment."""
        async with self._transactions.snapshot() as connection:
            head = (await connection.execute(select(REGISTRY_HEAD))).one()
            organisations = [read_organisation(row) for row in await _load_present(connection, _ORGANISATIONS)]
            services = [read_service(row) for row in await _load_present(connection, _SERVICES)]
        return Registry(
            {organisation.org_code: organisation for organisation in organisations if organisation},
            {service.client_id: service for service in services if service},
            head.number,
            head.orgs_timestamp,
            head.services_timestamp,
            head.synced_at,
        )

    async def past(self, since: int) -> RegistryHistory:
        """Returns the values that were in force and were replaced after `since` (epoch seconds)."""
        async with self._transactions.connect() as connection:
            return await history.load_past(connection, since)

    async def discarded(self, since: int) -> Sequence[Discard]:
        """Returns the syncs discarded after `since`, the latest first."""
        async with self._transactions.connect() as connection:
            return await history.load_discarded(connection, since)

    async def apply(
        self, changes: RegistryChanges, fence: int, now: int, *, judged: int, counted: PartySet = NO_PARTIES
    ) -> int:
        """Applies a whole sync and drops the held one. Returns the number of the last change.

        Raises Superseded, or RegistryChanged when the registry's number is not `judged`.
        """
        async with self._transactions.begin(now, fence=fence) as transaction:
            return await _apply(transaction, await _lock_head_at(transaction, judged), changes, now, counted)

    async def hold(
        self, changes: RegistryChanges, reasons: tuple[str, ...], fence: int, now: int, *, judged: int
    ) -> HeldSync:
        """Holds a sync; it replaces a held one. Raises Superseded or RegistryChanged.

        A sync with the same changes keeps its hold_id, so that a person who is reviewing it can still release it.
        """
        held: Values = {
            "one": 1,
            "hold_id": hash_changes(changes),
            "heard_at": now,
            "changes": dump_changes(changes),
            "reasons": json.dumps(reasons),
        }
        async with self._transactions.begin(now, fence=fence) as transaction:
            await _lock_head_at(transaction, judged)
            before = await _load_held(transaction.connection)
            since = now if before is None else before.since
            row = {**held, "since": since}
            await transaction.connection.execute(upsert_into(transaction.connection, REGISTRY_HELD), row)
        return HeldSync(held["hold_id"], since, changes, reasons)

    async def held(self) -> HeldSync | None:
        """Returns the held sync, None when there is none."""
        async with self._transactions.connect() as connection:
            row = await _load_held(connection)
        if row is None:
            return None
        return HeldSync(row.hold_id, row.since, read_changes(row.changes), tuple(json.loads(row.reasons)))

    async def release(self, hold_id: str, now: int) -> int:
        """Applies the held sync. Returns the number of the last change. Raises NoHeldSync.

        The time of the sync is the time at which the portal sent it.
        """
        async with self._transactions.begin(now) as transaction:
            head = await _lock_head(transaction)
            row = await _load_held(transaction.connection)
            if row is None or row.hold_id != hold_id:
                raise NoHeldSync
            return await _apply(transaction, head, read_changes(row.changes), row.heard_at, None)

    async def discard(self, hold_id: str, changes: RegistryChanges, reason: str, now: int) -> None:
        """Discards the held sync. Later syncs leave out `changes`. Raises NoHeldSync."""
        async with self._transactions.begin(now) as transaction:
            await _lock_head(transaction)
            row = await _load_held(transaction.connection)
            if row is None or row.hold_id != hold_id:
                raise NoHeldSync
            discarded: Values = {"hold_id": hold_id, "at": now, "reason": reason, "changes": dump_changes(changes)}
            await transaction.connection.execute(upsert_into(transaction.connection, REGISTRY_DISCARDED), discarded)
            await transaction.connection.execute(delete(REGISTRY_HELD))

    async def end_orphaned_consents(self, limit: int, fence: int, now: int) -> int:
        """Ends consents of operators and services that are absent since before `limit`. Returns their number.

        Each consent ends in one transaction; many consents take several. Raises Superseded.
        """
        total = 0
        while True:
            async with self._transactions.begin(now, fence=fence) as transaction:
                count = await history.end_absent_consents(transaction, limit)
            total += count
            if count < history.BATCH:
                return total


async def _lock_head(transaction: Transaction) -> Row[Any]:
    """Returns the head, locked until the transaction ends, so that numbers become visible in their order."""
    return (await transaction.connection.execute(select(REGISTRY_HEAD).with_for_update())).one()


async def _lock_head_at(transaction: Transaction, judged: int) -> Row[Any]:
    """Returns the locked head. Raises RegistryChanged unless it has the number by which a sync was judged."""
    head = await _lock_head(transaction)
    if head.number != judged:
        raise RegistryChanged
    return head


async def _load_held(connection: AsyncConnection) -> Row[Any] | None:
    return (await connection.execute(select(REGISTRY_HELD))).one_or_none()


async def _load_after(connection: AsyncConnection, kind: _Kind, number: int, limit: int) -> list[Mapping[str, Any]]:
    query = select(kind.table).where(kind.table.c.number > number).order_by(kind.table.c.number).limit(limit)
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def _load_present(connection: AsyncConnection, kind: _Kind) -> Sequence[Mapping[str, Any]]:
    query = select(kind.table).where(kind.table.c.gone.is_(False)).order_by(kind.key)
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def _apply(
    transaction: Transaction, head: Row[Any], changes: RegistryChanges, synced_at: int, counted: PartySet | None
) -> int:
    """Applies changes; `counted` is None when a person released them. Returns the number of the last change."""
    is_first = not await _has_organisations(transaction.connection)
    number: int = head.number
    counted_names = (None, None) if counted is None else (counted.organisations, counted.services)
    entries_by_kind = (changes.organisations, changes.services)
    for kind, entries, names in zip((_ORGANISATIONS, _SERVICES), entries_by_kind, counted_names, strict=True):
        applied = await _write_entries(transaction, kind, entries, number)
        number += len(applied)
        await history.update_absent(transaction, kind.name, applied)
        if not is_first:
            await history.add(transaction, kind.name, applied, names)
    values = {
        "number": number,
        "orgs_timestamp": changes.orgs_timestamp,
        "services_timestamp": changes.services_timestamp,
        "synced_at": max(head.synced_at, synced_at),
    }
    await transaction.connection.execute(update(REGISTRY_HEAD).values(values))
    await transaction.connection.execute(delete(REGISTRY_HELD))
    return number


async def _has_organisations(connection: AsyncConnection) -> bool:
    query = select(ORGANISATIONS.c.org_code).where(ORGANISATIONS.c.gone.is_(False)).limit(1)
    return (await connection.execute(query)).first() is not None


async def _write_entries(
    transaction: Transaction, kind: _Kind, entries: Mapping[str, Any], number: int
) -> list[Change]:
    """Writes the entries that differ from their rows. Returns the changes, numbered after `number`."""
    upsert = upsert_into(transaction.connection, kind.table)
    changes: list[Change] = []
    for keys in _chunks(sorted(entries)):
        known = await _load_known(transaction.connection, kind, keys)
        values_by_key = [(key, kind.dump(key, entries[key])) for key in keys]
        different = [(key, values) for key, values in values_by_key if _differs(known.get(key), values)]
        if different:
            first = number + len(changes) + 1
            rows = [{**values, "number": first + index} for index, (_, values) in enumerate(different)]
            await transaction.connection.execute(upsert, rows)
            changes += [
                Change(row["number"], key, known.get(key), values)
                for row, (key, values) in zip(rows, different, strict=True)
            ]
    return changes


async def _load_known(connection: AsyncConnection, kind: _Kind, keys: Sequence[str]) -> dict[str, Values]:
    columns = [column for column in kind.table.c if column.name != "number"]
    rows = (await connection.execute(select(*columns).where(kind.key.in_(keys)))).mappings()
    return {row[kind.key.name]: dict(row) for row in rows}


def _differs(known: Values | None, values: Values) -> bool:
    """Whether a row must be written. The removal of an unknown entry changes nothing."""
    return not values["gone"] if known is None else known != values


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))
