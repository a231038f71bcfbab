"""Digests of scheduled transfers made: gateways add them in batches, and all gateways read every batch."""

from collections.abc import Sequence

from sqlalchemy import and_, insert, select, update

from relay.domain.ledger import TRANSFER_ROWS
from relay.infra.ledger.database.tables import TRANSFERS, TRANSFERS_HEAD
from relay.infra.ledger.transaction import Transactions


class SqlTransfers:
    """`domain.ledger.TransferStore` over SQLite or PostgreSQL. Every method may raise LedgerDown."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def add(self, week: int, digests: Sequence[bytes], now: int) -> None:
        """Adds digests in one row. The counter stays locked until the commit, so numbers appear in their order."""
        counted = update(TRANSFERS_HEAD).values(number=TRANSFERS_HEAD.c.number + 1)
        async with self._transactions.begin(now) as transaction:
            execute = transaction.connection.execute
            number = (await execute(counted.returning(TRANSFERS_HEAD.c.number))).scalar_one()
            await execute(insert(TRANSFERS), {"number": number, "week_start": week, "digests": b"".join(digests)})

    async def list_after(self, number: int, week: int) -> tuple[int, Sequence[tuple[int, bytes]]]:
        """Returns the number that was reached, and week and joined digests of at most TRANSFER_ROWS rows."""
        is_later = and_(TRANSFERS.c.number > number, TRANSFERS.c.week_start >= week)
        columns = (TRANSFERS.c.number, TRANSFERS.c.week_start, TRANSFERS.c.digests)
        query = select(TRANSFERS_HEAD.c.number.label("head"), *columns)
        query = query.select_from(TRANSFERS_HEAD.outerjoin(TRANSFERS, is_later))
        async with self._transactions.connect() as connection:
            rows = (await connection.execute(query.order_by(TRANSFERS.c.number).limit(TRANSFER_ROWS))).all()
        digests = [(row.week_start, row.digests) for row in rows if row.digests is not None]
        return (rows[-1].number if len(digests) == TRANSFER_ROWS else rows[0].head), digests
