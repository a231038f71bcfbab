"""Single-use values: stored as SHA-256 until every form that contains them has expired."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import and_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.authorization.digest import digest_text
from relay.domain.ledger import LedgerRefused, Reason
from relay.infra.ledger.database.tables import SPENT
from relay.infra.ledger.database.upsert import insert_into
from relay.infra.ledger.transaction import Transaction

_REASONS: Final = {"tx_id": Reason.TX_ID_SPENT, "nonce": Reason.NONCE_SPENT}


async def spend(
    transaction: Transaction, spent: Sequence[tuple[str, str]], consent_id: str | None = None, form: bytes | None = None
) -> None:
    """Uses up the values, for a consent and by a form. Raises LedgerRefused for the first used or repeated value.

    Rows are written in one order, so that two transactions with the same values do not deadlock.
    """
    keys = [_key(kind, value) for kind, value in spent]
    columns = {"spent_at": transaction.now, "consent_id": consent_id, "form": form}
    rows = [{"kind": kind, "digest": digest, **columns} for kind, digest in sorted(set(keys))]
    if not rows:
        return
    statement = insert_into(transaction.connection, SPENT).values(rows).on_conflict_do_nothing()
    inserted = await transaction.connection.execute(statement.returning(SPENT.c.kind, SPENT.c.digest))
    fresh = {(kind, digest) for kind, digest in inserted}
    for key in keys:
        if key not in fresh:
            raise LedgerRefused(_REASONS[key[0]])
        fresh.discard(key)


async def find_consent_id(connection: AsyncConnection, tx_id: str, form: bytes, since: int) -> str | None:
    """Returns the consent that a tx_id was used for, if this form used it, at `since` or later."""
    kind, digest = _key("tx_id", tx_id)
    is_same = and_(SPENT.c.kind == kind, SPENT.c.digest == digest, SPENT.c.form == form, SPENT.c.spent_at >= since)
    consent_id: str | None = (await connection.execute(select(SPENT.c.consent_id).where(is_same))).scalar_one_or_none()
    return consent_id


async def find_spent(connection: AsyncConnection, spent: Sequence[tuple[str, str]]) -> Reason | None:
    """Returns the reason to refuse the first value that was used before; None when all are unused."""
    keys = [_key(kind, value) for kind, value in spent]
    query = select(SPENT.c.kind, SPENT.c.digest).where(tuple_(SPENT.c.kind, SPENT.c.digest).in_(keys))
    used = {(kind, digest) for kind, digest in await connection.execute(query)}
    return next((_REASONS[key[0]] for key in keys if key in used), None)


def _key(kind: str, value: str) -> tuple[str, bytes]:
    """Returns the primary key of a value. Raises KeyError for an unknown kind."""
    if kind not in _REASONS:
        raise KeyError(kind)
    return kind, digest_text(value)
