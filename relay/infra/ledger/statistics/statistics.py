"""Tables of statistics: batches are counted once, counts are read by day, messages to the portal by week."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.statistics import Batch, ConsentCount, Line, Pulse, Repair, Sending, SendingState
from relay.infra.ledger.consents.counts import count_consents
from relay.infra.ledger.database.portal_tables import PULSES, SENDINGS, STATISTICS, STATISTICS_BATCHES
from relay.infra.ledger.database.upsert import insert_into
from relay.infra.ledger.statistics import repairs as repair_rows
from relay.infra.ledger.transaction import Transaction, Transactions

_LINE_COLUMNS: Final = [STATISTICS.c[name] for name in Line._fields]
_ROWS: Final = 100
"""Number of rows in one statement.

PERF: a batch of 500 lines holds the loop for 1.4 ms at once, in one statement for 2.6; a batch of one line for 1.1.
"""


class SqlStatistics:
    """`domain.statistics.StatisticsStore` over SQLite or PostgreSQL. Every method may raise LedgerDown."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def take_batch(self, batch: Batch, now: int) -> bool:
        """Adds a whole batch. Returns False when it was added before."""
        async with self._transactions.begin(now) as transaction:
            statement = insert_into(transaction.connection, STATISTICS_BATCHES)
            statement = statement.values(batch_id=batch.batch_id, taken_at=now).on_conflict_do_nothing()
            inserted = await transaction.connection.execute(statement.returning(STATISTICS_BATCHES.c.batch_id))
            if inserted.one_or_none() is None:
                return False
            await _add_counts(transaction, batch.counts)
            await repair_rows.subtract_repaired(transaction, batch.counts)
            await _merge_pulses(transaction, batch.pulses)
        return True

    async def counts(self, first: str, last: str, provider: str | None = None) -> Sequence[tuple[Line, int]]:
        """Returns the counts of the days `first` to `last`, ordered by line."""
        query = select(*_LINE_COLUMNS, STATISTICS.c.counted).where(_between(first, last, provider))
        async with self._transactions.connect() as connection:
            rows = await connection.execute(query.order_by(*_LINE_COLUMNS))
            return [(Line(*line), counted) for *line, counted in rows]

    async def repair(self, stat_date: str, records: Mapping[Line, int], now: int) -> Sequence[Repair]:
        """Raises the counts of a day to those of the access records; higher counts stay. Returns the repairs."""
        query = select(*_LINE_COLUMNS, STATISTICS.c.counted).where(_between(stat_date, stat_date, None))
        async with self._transactions.begin(now) as transaction:
            await repair_rows.lock(transaction)
            counted = {Line(*line): count for *line, count in await transaction.connection.execute(query)}
            of_day = {line: count for line, count in records.items() if line.stat_date == stat_date}
            added = {line: count - counted.get(line, 0) for line, count in sorted(of_day.items())}
            added = {line: count for line, count in added.items() if count > 0}
            await _add_counts(transaction, added)
            return await repair_rows.add(transaction, added)

    async def repairs(self, first: str, last: str) -> Sequence[Repair]:
        """Returns the repairs of the days `first` to `last`, the oldest first."""
        async with self._transactions.connect() as connection:
            return await repair_rows.load_between(connection, first, last)

    async def consent_counts(self, days: Sequence[str], provider: str | None = None) -> Sequence[ConsentCount]:
        """Returns counts of consents for these days, ordered by day and service, without counts of three zeros."""
        async with self._transactions.connect() as connection:
            return await count_consents(connection, days, provider)

    async def first_day(self) -> str:
        """Returns the first day with a count, "" when there is none."""
        async with self._transactions.connect() as connection:
            return (await connection.execute(select(func.min(STATISTICS.c.stat_date)))).scalar_one() or ""

    async def providers_in(self, first: str, last: str) -> frozenset[str]:
        """Returns the institutions with a count on these days."""
        query = select(STATISTICS.c.provider).where(_between(first, last, None)).distinct()
        async with self._transactions.connect() as connection:
            return frozenset((await connection.execute(query)).scalars())

    async def changed_since(self, first: str, last: str, provider: str, moment: int) -> bool:
        """Whether a batch changed this institution's counts of these days at `moment` or later."""
        is_changed = and_(_between(first, last, provider), STATISTICS.c.changed_at >= moment)
        query = select(STATISTICS.c.provider).where(is_changed).limit(1)
        async with self._transactions.connect() as connection:
            return (await connection.execute(query)).first() is not None

    async def pulse(self, provider: str) -> Pulse | None:
        """Returns an institution's last answer and failures, as seen by all gateways together."""
        query = select(PULSES.c.answered_at, PULSES.c.failed_at, PULSES.c.failures)
        async with self._transactions.connect() as connection:
            row = (await connection.execute(query.where(PULSES.c.provider == provider))).one_or_none()
        return None if row is None else Pulse(*row)

    async def sendings(self, week: str, provider: str | None = None, *, content: bool = True) -> Sequence[Sending]:
        """Returns the messages of a week, of one institution or all, ordered by provider and type."""
        condition = SENDINGS.c.week == week
        if provider is not None:
            condition = and_(condition, SENDINGS.c.provider == provider)
        async with self._transactions.connect() as connection:
            return await _load_sendings(connection, condition, content=content)

    async def save_sending(self, sending: Sending, fence: int, now: int) -> None:
        """Stores the present state of a message. Raises Superseded.

        A request of the portal for it stays open, unless the message was accepted, and its counts read, after it.
        """
        values = _message_columns(sending)
        is_accepted = sending.state is SendingState.ACCEPTED
        async with self._transactions.begin(now, fence=fence) as transaction:
            statement = insert_into(transaction.connection, SENDINGS)
            statement = statement.values(**values, requested=sending.requested and not is_accepted, requested_at=0)
            since = min(sending.counted_at, sending.accepted_at)
            is_answered = SENDINGS.c.requested_at <= since if is_accepted else false()
            is_still_requested = or_(and_(SENDINGS.c.requested, ~is_answered), statement.excluded.requested)
            changes = {name: statement.excluded[name] for name in values} | {"requested": is_still_requested}
            upsert = statement.on_conflict_do_update(index_elements=list(SENDINGS.primary_key), set_=changes)
            await transaction.connection.execute(upsert)

    async def request_resend(self, week: str, provider: str, types: Sequence[str], now: int) -> None:
        """Records that the portal requests these messages again (지원-104)."""
        sendings = [Sending(week, provider, type_, SendingState.WAITING) for type_ in sorted(set(types))]
        if not sendings:
            return
        rows = [{**_message_columns(sending), "requested": True, "requested_at": now} for sending in sendings]
        async with self._transactions.begin(now) as transaction:
            statement = insert_into(transaction.connection, SENDINGS).values(rows)
            changes = {name: statement.excluded[name] for name in ("requested", "requested_at")}
            upsert = statement.on_conflict_do_update(index_elements=list(SENDINGS.primary_key), set_=changes)
            await transaction.connection.execute(upsert)

    async def requested_sendings(self, *, content: bool = True) -> Sequence[Sending]:
        """Returns the messages that the portal requested and has not accepted since."""
        async with self._transactions.connect() as connection:
            return await _load_sendings(connection, SENDINGS.c.requested, content=content)


async def _add_counts(transaction: Transaction, counts: Mapping[Line, int]) -> None:
    """Adds counts in one order, so that two batches of the same lines do not deadlock."""
    lines = sorted(counts)
    statement = insert_into(transaction.connection, STATISTICS)
    changes = {
        "counted": STATISTICS.c.counted + statement.excluded.counted,
        "changed_at": _later(STATISTICS.c.changed_at, statement.excluded.changed_at),
    }
    upsert = statement.on_conflict_do_update(index_elements=_LINE_COLUMNS, set_=changes)
    for start in range(0, len(lines), _ROWS):
        part = lines[start : start + _ROWS]
        rows = [{**line._asdict(), "counted": counts[line], "changed_at": transaction.now} for line in part]
        await transaction.connection.execute(upsert, rows)


async def _merge_pulses(transaction: Transaction, pulses: Mapping[str, Pulse]) -> None:
    """Merges pulses, which gateways deliver in any order. Failures count since the last answer."""
    rows = [{"provider": provider, **pulses[provider]._asdict()} for provider in sorted(pulses)]
    statement = insert_into(transaction.connection, PULSES)
    old, new = PULSES.c, statement.excluded
    is_over = and_(new.answered_at > old.answered_at, new.answered_at >= old.failed_at)
    is_late = new.failed_at < old.answered_at
    changes = {
        "answered_at": _later(old.answered_at, new.answered_at),
        "failed_at": _later(old.failed_at, new.failed_at),
        "failures": case((is_over, 0), else_=old.failures) + case((is_late, 0), else_=new.failures),
    }
    upsert = statement.on_conflict_do_update(index_elements=[old.provider], set_=changes)
    for start in range(0, len(rows), _ROWS):
        await transaction.connection.execute(upsert, rows[start : start + _ROWS])


def _later(time: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((time > other, time), else_=other)


def _between(first: str, last: str, provider: str | None) -> ColumnElement[bool]:
    is_day = STATISTICS.c.stat_date.between(first, last)
    return is_day if provider is None else and_(is_day, STATISTICS.c.provider == provider)


def _message_columns(sending: Sending) -> dict[str, Any]:
    """Returns the columns of a message, without those of the portal's request."""
    return {
        "week": sending.week,
        "provider": sending.provider,
        "type": sending.type,
        "state": sending.state.value,
        "attempts": sending.attempts,
        "tried_at": sending.tried_at,
        "accepted_at": sending.accepted_at,
        "counted_at": sending.counted_at,
        "tran_id": sending.tran_id,
        "rsp_code": sending.rsp_code,
        "content": zlib.compress(sending.content),
    }


async def _load_sendings(
    connection: AsyncConnection, condition: ColumnElement[bool], *, content: bool
) -> list[Sending]:
    omitted = {"requested_at"} if content else {"requested_at", "content"}
    columns = [column.label(column.key) for column in SENDINGS.c if column.key not in omitted]
    rows = (await connection.execute(select(*columns).where(condition).order_by(*SENDINGS.primary_key))).mappings()
    return [_read_sending(dict(row)) for row in rows]


def _read_sending(row: dict[str, Any]) -> Sending:
    compressed = row.pop("content", None)
    content = b"" if compressed is None else zlib.decompress(compressed)
    return Sending(**{**row, "state": SendingState(row["state"]), "content": content})
