"""Repairs of statistics from access records, with protection against late batches that would count calls twice.

Counts that a killed process lost may still be in a spool, maybe on another machine. A repair adds them from access
records. When a batch later brings calls of the same line, it adds only the calls beyond the repair's.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Row, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.statistics import Line, Repair
from relay.infra.ledger.database.portal_tables import STATISTICS, STATISTICS_REPAIRS
from relay.infra.ledger.transaction import Transaction

_TABLE: Final = STATISTICS_REPAIRS
_LINE_COLUMNS: Final = [_TABLE.c[name] for name in Line._fields]


async def lock(transaction: Transaction) -> None:
    """Blocks batches until the transaction ends. SQLite has one writer anyway."""
    if transaction.connection.dialect.name == "postgresql":
        await transaction.connection.execute(text(f"LOCK TABLE {STATISTICS.name} IN SHARE ROW EXCLUSIVE MODE"))


async def add(transaction: Transaction, added: Mapping[Line, int]) -> Sequence[Repair]:
    """Records a repair for each line with an added count. Returns the repairs."""
    repairs = [Repair(transaction.now, line, count, count) for line, count in added.items()]
    rows = [
        {**repair.line._asdict(), "at": repair.at, "added": repair.added, "pending": repair.pending}
        for repair in repairs
    ]
    if rows:
        await transaction.connection.execute(insert(_TABLE), rows)
    return repairs


async def subtract_repaired(transaction: Transaction, counts: Mapping[Line, int]) -> None:
    """Subtracts from a batch that was just counted the calls that earlier repairs of its lines added."""
    days = {line.stat_date for line in counts}
    if not days:
        return
    query = select(_TABLE).where(_TABLE.c.stat_date.in_(sorted(days)), _TABLE.c.pending > 0).order_by(_TABLE.c.number)
    remaining = dict(counts)
    for row in (await transaction.connection.execute(query.with_for_update())).all():
        line = _read_line(row)
        duplicates = min(row.pending, remaining.get(line, 0))
        if duplicates:
            remaining[line] -= duplicates
            repair = update(_TABLE).where(_TABLE.c.number == row.number)
            await transaction.connection.execute(repair.values(pending=_TABLE.c.pending - duplicates))
            is_line = [STATISTICS.c[name] == value for name, value in line._asdict().items()]
            count = update(STATISTICS).where(*is_line).values(counted=STATISTICS.c.counted - duplicates)
            await transaction.connection.execute(count)


async def load_between(connection: AsyncConnection, first: str, last: str) -> Sequence[Repair]:
    """Returns the repairs of the days `first` to `last`, the oldest first."""
    query = select(_TABLE).where(_TABLE.c.stat_date.between(first, last)).order_by(_TABLE.c.number)
    return [Repair(row.at, _read_line(row), row.added, row.pending) for row in await connection.execute(query)]


def _read_line(row: Row[tuple[object, ...]]) -> Line:
    return Line(*(getattr(row, column.name) for column in _LINE_COLUMNS))
