"""Marks of scheduled transfers made: gateways add them in batches, and all gateways read every batch."""

from collections.abc import Sequence

from sqlalchemy import and_, insert, select, update

from relay.domain.ledger import MARK_ROWS
from relay.infra.ledger.database.tables import TRANSFER_MARKS, TRANSFER_MARKS_HEAD
from relay.infra.ledger.transaction import Transactions


class SqlTransferMarks:
    """`domain.ledger.TransferMarkStore` over SQLite or PostgreSQL. Every method may raise LedgerDown."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def add(self, week: int, marks: Sequence[bytes], now: int) -> None:
        """Adds marks in one row. The counter's row stays locked until the commit, so numbers appear in their order."""
        counted = update(TRANSFER_MARKS_HEAD).values(number=TRANSFER_MARKS_HEAD.c.number + 1)
        async with self._transactions.begin(now) as transaction:
            execute = transaction.connection.execute
            number = (await execute(counted.returning(TRANSFER_MARKS_HEAD.c.number))).scalar_one()
            await execute(insert(TRANSFER_MARKS), {"number": number, "week_start": week, "marks": b"".join(marks)})

    async def list_after(self, number: int, week: int) -> tuple[int, Sequence[tuple[int, bytes]]]:
        """Returns the number that was reached, and week and joined marks of at most MARK_ROWS rows."""
        is_later = and_(TRANSFER_MARKS.c.number > number, TRANSFER_MARKS.c.week_start >= week)
        columns = (TRANSFER_MARKS.c.number, TRANSFER_MARKS.c.week_start, TRANSFER_MARKS.c.marks)
        query = select(TRANSFER_MARKS_HEAD.c.number.label("head"), *columns)
        query = query.select_from(TRANSFER_MARKS_HEAD.outerjoin(TRANSFER_MARKS, is_later))
        async with self._transactions.connect() as connection:
            rows = (await connection.execute(query.order_by(TRANSFER_MARKS.c.number).limit(MARK_ROWS))).all()
        marks = [(row.week_start, row.marks) for row in rows if row.marks is not None]
        return (rows[-1].number if len(marks) == MARK_ROWS else rows[0].head), marks
