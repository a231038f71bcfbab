"""What gateways ask for several times a second: what was revoked since."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.infra.ledger.database.tables import REVOCATION_HEAD, REVOCATIONS


async def head(rows: AsyncConnection) -> int:
    """The number of the latest revocation, 0 when there was none."""
    number: int = (await rows.execute(select(REVOCATION_HEAD.c.number))).scalar_one()
    return number


async def after(rows: AsyncConnection, number: int) -> tuple[int, Sequence[str]]:
    """What was revoked after `number`, and the latest number; one statement, so that both are of one moment.

    The latest is below `number` when the ledger is an older one, restored.
    """
    later = REVOCATION_HEAD.outerjoin(REVOCATIONS, REVOCATIONS.c.number > number)
    wanted = select(REVOCATION_HEAD.c.number.label("head"), REVOCATIONS.c.jti).select_from(later)
    found = (await rows.execute(wanted.order_by(REVOCATIONS.c.number))).all()
    return found[0].head, [row.jti for row in found if row.jti is not None]
