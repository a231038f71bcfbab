"""Repairs of statistics: what was brought from access records, so that no batch that comes late counts it twice.

A figure that a kill lost may still stand in a spool, maybe on another machine. What a repair added is taken for these
figures: a batch that brings calls of the same line later adds only what is beyond that.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Row, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.statistics import Line, Repair
from relay.infra.ledger.database.portal_tables import STATISTICS, STATISTICS_REPAIRS
from relay.infra.ledger.transaction import Work

_TABLE: Final = STATISTICS_REPAIRS
_LINE: Final = [_TABLE.c[name] for name in Line._fields]


async def lock(work: Work) -> None:
    """Let no batch be taken until the transaction ends. SQLite has one writer anyway."""
    if work.rows.dialect.name == "postgresql":
        await work.rows.execute(text(f"LOCK TABLE {STATISTICS.name} IN SHARE ROW EXCLUSIVE MODE"))


async def keep(work: Work, added: Mapping[Line, int]) -> Sequence[Repair]:
    """Keep a line of history for each figure that was added."""
    repairs = [Repair(work.now, line, count, count) for line, count in added.items()]
    if repairs:
        rows = [{**one.line._asdict(), "at": one.at, "added": one.added, "pending": one.pending} for one in repairs]
        await work.rows.execute(insert(_TABLE), rows)
    return repairs


async def settle(work: Work, counts: Mapping[Line, int]) -> None:
    """Take off a batch that was just counted what repairs of the same lines added before it came."""
    days = {line.stat_date for line in counts}
    if not days:
        return
    wanted = select(_TABLE).where(_TABLE.c.stat_date.in_(sorted(days)), _TABLE.c.pending > 0).order_by(_TABLE.c.number)
    left = dict(counts)
    for row in (await work.rows.execute(wanted.with_for_update())).all():
        line = _line(row)
        twice = min(row.pending, left.get(line, 0))
        if twice:
            left[line] -= twice
            this = update(_TABLE).where(_TABLE.c.number == row.number)
            await work.rows.execute(this.values(pending=_TABLE.c.pending - twice))
            same = [STATISTICS.c[name] == value for name, value in line._asdict().items()]
            await work.rows.execute(update(STATISTICS).where(*same).values(counted=STATISTICS.c.counted - twice))


async def between(rows: AsyncConnection, first: str, last: str) -> Sequence[Repair]:
    """What was repaired of these days, in the order in which it was."""
    wanted = select(_TABLE).where(_TABLE.c.stat_date.between(first, last)).order_by(_TABLE.c.number)
    return [Repair(row.at, _line(row), row.added, row.pending) for row in await rows.execute(wanted)]


def _line(row: Row[tuple[object, ...]]) -> Line:
    return Line(*(getattr(row, column.name) for column in _LINE))
