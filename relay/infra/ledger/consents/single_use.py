"""What may be used once: kept as SHA-256 of its value, until nothing that names it would be accepted any more."""

import hashlib
from collections.abc import Sequence
from typing import Final

from sqlalchemy import and_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.ledger import NotGranted, Why
from relay.infra.ledger.database.tables import SPENT
from relay.infra.ledger.database.upsert import inserting
from relay.infra.ledger.transaction import Work

_WHY: Final = {"tx_id": Why.TX_ID_SPENT, "nonce": Why.NONCE_SPENT}


async def spend(
    work: Work, spent: Sequence[tuple[str, str]], consent_id: str | None = None, form: bytes | None = None
) -> None:
    """Use these up, for a consent and by a form. Raises NotGranted for the first that was used before or stands twice.

    Rows are written in one order, so that two that spend the same wait for each other and never in a circle.
    """
    named = [_named(kind, value) for kind, value in spent]
    told = {"spent_at": work.now, "consent_id": consent_id, "form": form}
    rows = [{"kind": kind, "digest": digest, **told} for kind, digest in sorted(set(named))]
    if not rows:
        return
    added = inserting(work.rows, SPENT).values(rows).on_conflict_do_nothing()
    fresh = {(kind, digest) for kind, digest in await work.rows.execute(added.returning(SPENT.c.kind, SPENT.c.digest))}
    for name in named:
        if name not in fresh:
            raise NotGranted(_WHY[name[0]])
        fresh.discard(name)


async def spent_by(rows: AsyncConnection, tx_id: str, form: bytes, since: int) -> str | None:
    """The consent that a tx_id was used up for, when that was by this form and not before `since`."""
    kind, digest = _named("tx_id", tx_id)
    same = and_(SPENT.c.kind == kind, SPENT.c.digest == digest, SPENT.c.form == form, SPENT.c.spent_at >= since)
    found: str | None = (await rows.execute(select(SPENT.c.consent_id).where(same))).scalar_one_or_none()
    return found


async def first_spent(rows: AsyncConnection, spent: Sequence[tuple[str, str]]) -> Why | None:
    """Why the first of these that was used before cannot be used again; None when all are fresh."""
    named = [_named(kind, value) for kind, value in spent]
    known = select(SPENT.c.kind, SPENT.c.digest).where(tuple_(SPENT.c.kind, SPENT.c.digest).in_(named))
    used = {(kind, digest) for kind, digest in await rows.execute(known)}
    return next((_WHY[name[0]] for name in named if name in used), None)


def _named(kind: str, value: str) -> tuple[str, bytes]:
    """KeyError for a kind that nobody knows."""
    return _WHY[kind] and kind, hashlib.sha256(value.encode()).digest()
