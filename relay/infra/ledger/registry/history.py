"""The past of the registry: former values, absent entries, discarded syncs."""

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.authorization.consent import ConsentState
from relay.domain.registry import Cause, Discard, FormerValue, Organisation, RegisteredService, RegistryHistory
from relay.infra.ledger.consents import consents
from relay.infra.ledger.database.portal_tables import REGISTRY_AWAY, REGISTRY_DISCARDED, REGISTRY_PAST
from relay.infra.ledger.database.tables import CONSENTS
from relay.infra.ledger.database.upsert import insert_into
from relay.infra.ledger.registry.rows import Values, read_changes, read_organisation, read_service
from relay.infra.ledger.transaction import Transaction

BATCH: Final = 200
"""Consents ended in one transaction; other writers wait no longer than it takes."""
_CHUNK: Final = 500
_HARMLESS_INTERVAL_S: Final = 86_400
"""Harmless changes of an entry are recorded once a day: an entry that changes to and fro must not fill the ledger."""
_DISPLAY_COLUMNS: Final = frozenset({"name", "industry", "domain", "cert_issuer_dn", "cert_oid", "mark"})
"""Columns that decide nothing, or that repeat another column."""
_ORGANISATION: Final = "organisation"


class Change(NamedTuple):
    """One change of the registry: the columns before (None: there was no row) and after it."""

    number: int
    name: str
    before: Values | None
    after: Values


async def add(transaction: Transaction, kind: str, changes: Sequence[Change], counted: frozenset[str] | None) -> None:
    """Records former values. `counted` names the entries that the guard counts; None when a person released them."""
    recent = await _find_recent(transaction, kind)
    rows = [
        {
            "number": change.number,
            "at": transaction.now,
            "kind": kind,
            "name": change.name,
            "cause": _cause(change.name, counted).value,
            "former": _dump_values(change.before),
        }
        for change in changes
        if _is_relevant(change) and not (change.name in recent and _cause(change.name, counted) is Cause.SYNC)
    ]
    if rows:
        await transaction.connection.execute(insert(REGISTRY_PAST), rows)


def _is_relevant(change: Change) -> bool:
    """Whether a change affects decisions of the relay."""
    before = change.before or {"gone": True}
    relevant = {name: value for name, value in before.items() if name not in _DISPLAY_COLUMNS}
    return before["gone"] or any(change.after[name] != value for name, value in relevant.items())


async def _find_recent(transaction: Transaction, kind: str) -> frozenset[str]:
    """Returns the names of entries with a recent harmless change."""
    table = REGISTRY_PAST
    since = transaction.now - _HARMLESS_INTERVAL_S
    is_recent = (table.c.kind == kind, table.c.cause == Cause.SYNC.value, table.c.at > since)
    return frozenset((await transaction.connection.execute(select(table.c.name).where(*is_recent))).scalars())


def _cause(name: str, counted: frozenset[str] | None) -> Cause:
    if counted is None:
        return Cause.RELEASED
    return Cause.COUNTED if name in counted else Cause.SYNC


def _dump_values(values: Values | None) -> str:
    if values is None or values["gone"]:
        return ""
    return json.dumps({name: value.hex() if name == "mark" else value for name, value in values.items()})


async def load_past(connection: AsyncConnection, since: int) -> RegistryHistory:
    """Returns the values that were in force and were replaced after `since`."""
    organisations: dict[str, list[FormerValue[Organisation]]] = {}
    services: dict[str, list[FormerValue[RegisteredService]]] = {}
    query = select(REGISTRY_PAST).where(REGISTRY_PAST.c.at > since).order_by(REGISTRY_PAST.c.number)
    for row in await connection.execute(query):
        values: Values = json.loads(row.former) if row.former else {"gone": True}
        cause = Cause(row.cause)
        if row.kind == _ORGANISATION:
            organisations.setdefault(row.name, []).append(FormerValue(row.at, read_organisation(values), cause))
        else:
            if "mark" in values:
                values["mark"] = bytes.fromhex(values["mark"])
            services.setdefault(row.name, []).append(FormerValue(row.at, read_service(values), cause))
    return RegistryHistory(organisations, services)


async def load_discarded(connection: AsyncConnection, since: int) -> Sequence[Discard]:
    """Returns the syncs discarded after `since`, the latest first."""
    table = REGISTRY_DISCARDED
    rows = await connection.execute(select(table).where(table.c.at > since).order_by(table.c.at.desc()))
    return [Discard(row.at, row.reason, read_changes(row.changes)) for row in rows]


async def update_absent(transaction: Transaction, kind: str, changes: Sequence[Change]) -> None:
    """Records operators that may no longer call and removed services; removes the record of those that returned."""
    present = [change.name for change in changes if _is_present(kind, change.after)]
    gone = [
        {"kind": kind, "name": change.name, "since": transaction.now}
        for change in changes
        if _is_present(kind, change.before) and not _is_present(kind, change.after)
    ]
    if gone:
        statement = insert_into(transaction.connection, REGISTRY_AWAY).on_conflict_do_nothing()
        await transaction.connection.execute(statement, gone)
    for start in range(0, len(present), _CHUNK):
        is_named = REGISTRY_AWAY.c.name.in_(present[start : start + _CHUNK])
        await transaction.connection.execute(delete(REGISTRY_AWAY).where(REGISTRY_AWAY.c.kind == kind, is_named))


def _is_present(kind: str, values: Values | None) -> bool:
    if values is None or values["gone"]:
        return False
    organisation: Any = read_organisation(values) if kind == _ORGANISATION else None
    return organisation is None or organisation.may_call


async def end_absent_consents(transaction: Transaction, limit: int) -> int:
    """Ends at most BATCH consents, with their tokens, of entries absent since before `limit`. Returns their number."""
    absent = select(REGISTRY_AWAY.c.name).where(REGISTRY_AWAY.c.since < limit)
    operators = absent.where(REGISTRY_AWAY.c.kind == _ORGANISATION)
    services = absent.where(REGISTRY_AWAY.c.kind != _ORGANISATION)
    is_theirs = or_(CONSENTS.c.operator.in_(operators), CONSENTS.c.client_id.in_(services))
    query = select(CONSENTS.c.consent_id).where(and_(CONSENTS.c.state == ConsentState.ACTIVE.value, is_theirs))
    query = query.order_by(CONSENTS.c.consent_id).limit(BATCH).with_for_update()
    ids = (await transaction.connection.execute(query)).scalars().all()
    for consent_id in ids:
        why = "its operator or service left the registry"
        await consents.end(transaction, consent_id, ConsentState.ACTIVE, ConsentState.ENDED, why)
    return len(ids)
