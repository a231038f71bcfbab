"""What the registry was: former values, who is away since when, and what a person threw away."""

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.authorization.consent import ConsentState
from relay.domain.registry import Cause, Discarded, Former, Organisation, Past, RegisteredService
from relay.infra.ledger.consents import consents
from relay.infra.ledger.database.portal_tables import REGISTRY_AWAY, REGISTRY_DISCARDED, REGISTRY_PAST
from relay.infra.ledger.database.tables import CONSENTS
from relay.infra.ledger.database.upsert import inserting
from relay.infra.ledger.registry.rows import Values, changes_of, organisation_of, service_of
from relay.infra.ledger.transaction import Work

BATCH: Final = 200
"""So many consents end in one transaction: others wait no longer than that takes."""
_CHUNK: Final = 500
_APART_S: Final = 86_400
"""Changes that harm nobody are kept once a day: a list that changes to and fro must not fill the ledger."""
_SHOWN: Final = frozenset({"name", "industry", "domain", "cert_issuer_dn", "cert_oid", "mark"})
"""Columns that nobody goes by, or that tell the same as another."""
_ORGANISATION: Final = "organisation"


class Step(NamedTuple):
    """One change of the registry: the columns before (None: there was no row) and after it."""

    number: int
    name: str
    before: Values | None
    after: Values


async def keep(work: Work, kind: str, steps: Sequence[Step], counted: frozenset[str] | None) -> None:
    """Keep what changes replaced. `counted` names those that the guard counts; None when a person released them."""
    recent = await _recent(work, kind)
    steps = [
        step
        for step in steps
        if _matters(step) and not (step.name in recent and _cause(step.name, counted) is Cause.SYNC)
    ]
    rows = [
        {
            "number": step.number,
            "at": work.now,
            "kind": kind,
            "name": step.name,
            "cause": _cause(step.name, counted).value,
            "former": _text(step.before),
        }
        for step in steps
    ]
    if rows:
        await work.rows.execute(insert(REGISTRY_PAST), rows)


def _matters(step: Step) -> bool:
    """Whether a change is one of what the relay goes by."""
    before = step.before or {"gone": True}
    return before["gone"] or any(step.after[name] != value for name, value in before.items() if name not in _SHOWN)


async def _recent(work: Work, kind: str) -> frozenset[str]:
    """What changed lately without harm."""
    table = REGISTRY_PAST
    harmless = (table.c.kind == kind, table.c.cause == Cause.SYNC.value, table.c.at > work.now - _APART_S)
    return frozenset((await work.rows.execute(select(table.c.name).where(*harmless))).scalars())


def _cause(name: str, counted: frozenset[str] | None) -> Cause:
    if counted is None:
        return Cause.RELEASED
    return Cause.COUNTED if name in counted else Cause.SYNC


def _text(values: Values | None) -> str:
    if values is None or values["gone"]:
        return ""
    return json.dumps({name: value.hex() if name == "mark" else value for name, value in values.items()})


async def past(rows: AsyncConnection, since: int) -> Past:
    """What was in force and was replaced after `since`."""
    organisations: dict[str, list[Former[Organisation]]] = {}
    services: dict[str, list[Former[RegisteredService]]] = {}
    wanted = select(REGISTRY_PAST).where(REGISTRY_PAST.c.at > since).order_by(REGISTRY_PAST.c.number)
    for row in await rows.execute(wanted):
        values: Values = json.loads(row.former) if row.former else {"gone": True}
        cause = Cause(row.cause)
        if row.kind == _ORGANISATION:
            organisations.setdefault(row.name, []).append(Former(row.at, organisation_of(values), cause))
        else:
            if "mark" in values:
                values["mark"] = bytes.fromhex(values["mark"])
            services.setdefault(row.name, []).append(Former(row.at, service_of(values), cause))
    return Past(organisations, services)


async def discarded(rows: AsyncConnection, since: int) -> Sequence[Discarded]:
    """What was thrown away after `since`, the latest first."""
    table = REGISTRY_DISCARDED
    found = await rows.execute(select(table).where(table.c.at > since).order_by(table.c.at.desc()))
    return [Discarded(row.at, row.reason, changes_of(row.changes)) for row in found]


async def keep_away(work: Work, kind: str, steps: Sequence[Step]) -> None:
    """Keep since when operators may not call any more and services are gone; who comes back is away no more."""
    gone = [step.name for step in steps if _is_here(kind, step.before) and not _is_here(kind, step.after)]
    here = [step.name for step in steps if _is_here(kind, step.after)]
    if gone:
        added = inserting(work.rows, REGISTRY_AWAY).on_conflict_do_nothing()
        await work.rows.execute(added, [{"kind": kind, "name": name, "since": work.now} for name in gone])
    for start in range(0, len(here), _CHUNK):
        names = REGISTRY_AWAY.c.name.in_(here[start : start + _CHUNK])
        await work.rows.execute(delete(REGISTRY_AWAY).where(REGISTRY_AWAY.c.kind == kind, names))


def _is_here(kind: str, values: Values | None) -> bool:
    if values is None or values["gone"]:
        return False
    organisation: Any = organisation_of(values) if kind == _ORGANISATION else None
    return organisation is None or organisation.calls


async def forget_some(work: Work, limit: int) -> int:
    """End at most BATCH consents to who is away since before `limit`, with all their tokens; how many there were."""
    away = select(REGISTRY_AWAY.c.name).where(REGISTRY_AWAY.c.since < limit)
    operators = away.where(REGISTRY_AWAY.c.kind == _ORGANISATION)
    services = away.where(REGISTRY_AWAY.c.kind != _ORGANISATION)
    theirs = or_(CONSENTS.c.operator.in_(operators), CONSENTS.c.client_id.in_(services))
    over = select(CONSENTS.c.consent_id).where(and_(CONSENTS.c.state == ConsentState.ACTIVE.value, theirs))
    found = over.order_by(CONSENTS.c.consent_id).limit(BATCH).with_for_update()
    ids = (await work.rows.execute(found)).scalars().all()
    for consent_id in ids:
        why = "its operator or service left the registry"
        await consents.end(work, consent_id, ConsentState.ACTIVE, ConsentState.ENDED, why)
    return len(ids)
