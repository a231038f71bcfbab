"""Queries of revocations, which gateways poll several times a second."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.infra.ledger.database.tables import REVOCATION_HEAD, REVOCATIONS


async def read_head(connection: AsyncConnection) -> int:
    """Returns the number of the latest revocation, 0 when there is none."""
    number: int = (await connection.execute(select(REVOCATION_HEAD.c.number))).scalar_one()
    return number


async def read_after(connection: AsyncConnection, number: int) -> tuple[int, Sequence[str]]:
    """Returns the latest number and the jtis revoked after `number`, of one moment: it is one statement.

    The latest number is below `number` when the ledger was restored from a backup.
    """
    later = REVOCATION_HEAD.outerjoin(REVOCATIONS, REVOCATIONS.c.number > number)
    query = select(REVOCATION_HEAD.c.number.label("head"), REVOCATIONS.c.jti).select_from(later)
    rows = (await connection.execute(query.order_by(REVOCATIONS.c.number))).all()
    return rows[0].head, [row.jti for row in rows if row.jti is not None]
