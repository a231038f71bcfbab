"""Tables of jobs, leadership and calls to the portal."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, case, insert, select, update

from relay.domain.jobs import MAX_AHEAD_S, JobState, PortalCall, Term
from relay.infra.ledger.database.portal_tables import JOBS, LEADERSHIP, PORTAL_CALLS
from relay.infra.ledger.database.upsert import insert_into
from relay.infra.ledger.transaction import Transaction, Transactions

_JOB_COLUMNS: Final = [column.label(column.key) for column in JOBS.c]
_CALL_COLUMNS: Final = [column for column in PORTAL_CALLS.c if column.name != "number"]


class SqlJobs:
    """`domain.jobs.JobStore` over SQLite or PostgreSQL. Every method may raise LedgerDown."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def lead(self, holder: str, lasts_s: int, now: int) -> Term | None:
        """Renews the holder's running term, or begins a new one after the last ended. Returns None for other holders.

        A term that a wrong clock wrote (see `Term.is_running`) counts as ended.
        """
        is_running = (LEADERSHIP.c.until > now) & (LEADERSHIP.c.until <= now + MAX_AHEAD_S)
        is_ours = (LEADERSHIP.c.holder == holder) & is_running
        fence = case((is_ours, LEADERSHIP.c.fence), else_=LEADERSHIP.c.fence + 1)
        change = update(LEADERSHIP).where(is_ours | ~is_running)
        change = change.values(holder=holder, fence=fence, until=now + lasts_s)
        async with self._transactions.begin(now) as transaction:
            row = (await transaction.connection.execute(change.returning(*LEADERSHIP.c))).one_or_none()
        return None if row is None else _read_term(row)

    async def take_lead(self, holder: str, lasts_s: int, now: int) -> int:
        """Starts the term of a leader that was elected elsewhere. Returns its fence, higher than all before."""
        change = update(LEADERSHIP).values(holder=holder, fence=LEADERSHIP.c.fence + 1, until=now + lasts_s)
        async with self._transactions.begin(now) as transaction:
            fence: int = (await transaction.connection.execute(change.returning(LEADERSHIP.c.fence))).scalar_one()
        return fence

    async def release_lead(self, holder: str, now: int) -> None:
        """Ends this holder's term, if it is running."""
        is_running = (LEADERSHIP.c.holder == holder) & (LEADERSHIP.c.until > now)
        async with self._transactions.begin(now) as transaction:
            await transaction.connection.execute(update(LEADERSHIP).where(is_running).values(until=now))

    async def load_leader(self) -> Term | None:
        """Returns the last term, None before the first."""
        async with self._transactions.connect() as connection:
            row = (await connection.execute(select(LEADERSHIP))).one()
        return _read_term(row) if row.fence else None

    async def load_states(self) -> Mapping[str, JobState]:
        """Returns the states of the jobs, by name."""
        async with self._transactions.connect() as connection:
            rows = (await connection.execute(select(*_JOB_COLUMNS).order_by(JOBS.c.name))).mappings()
            return {row["name"]: JobState(**row) for row in rows}

    async def record_start(self, name: str, fence: int, now: int) -> None:
        """Records that a job begins. It serves every request made before, whatever the clocks. Raises Superseded.

        `begun_at` is later than `ended_at`, also within one second: this marks the job as running.
        """
        at = _later(case((JOBS.c.ended_at >= JOBS.c.requested_at, JOBS.c.ended_at + 1), else_=JOBS.c.requested_at), now)
        async with self._transactions.begin(now, fence=fence) as transaction:
            await _reset_future_times(transaction, name, now)
            await _update_job(transaction, name, begun_at=at)

    async def record_end(self, name: str, fence: int, *, well: bool, result: str, due_at: int, now: int) -> None:
        """Records that a job ended. Raises Superseded."""
        at = _later(JOBS.c.begun_at, now)
        changes: dict[str, Any] = {"succeeded_at": at, "failures": 0} if well else {"failures": JOBS.c.failures + 1}
        async with self._transactions.begin(now, fence=fence) as transaction:
            await _update_job(transaction, name, ended_at=at, due_at=due_at, result=result, **changes)

    async def request_run(self, name: str, now: int) -> None:
        """Requests a run of a job now: it begins again, even if it began in this second."""
        async with self._transactions.begin(now) as transaction:
            await _update_job(transaction, name, requested_at=_later(JOBS.c.begun_at + 1, now))

    async def record_call(self, call: PortalCall) -> None:
        """Records a call to the portal."""
        async with self._transactions.begin(int(call.at)) as transaction:
            await transaction.connection.execute(insert(PORTAL_CALLS), asdict(call))

    async def load_calls(self, limit: int) -> Sequence[PortalCall]:
        """Returns the last calls to the portal, the latest first."""
        query = select(*_CALL_COLUMNS).order_by(PORTAL_CALLS.c.at.desc(), PORTAL_CALLS.c.number.desc()).limit(limit)
        async with self._transactions.connect() as connection:
            return [PortalCall(**row) for row in (await connection.execute(query)).mappings()]


async def _update_job(transaction: Transaction, name: str, **values: Any) -> None:
    """Updates the row of a job; inserts one that never ran when there is none."""
    statement = insert_into(transaction.connection, JOBS).values(asdict(JobState(name)))
    await transaction.connection.execute(statement.on_conflict_do_nothing())
    await transaction.connection.execute(update(JOBS).where(JOBS.c.name == name).values(values))


async def _reset_future_times(transaction: Transaction, name: str, now: int) -> None:
    """Sets times in the future, which a clock that ran ahead wrote, to `now`."""
    values = {
        column.key: case((column > now + MAX_AHEAD_S, now), else_=column)
        for column in (JOBS.c.begun_at, JOBS.c.ended_at, JOBS.c.succeeded_at, JOBS.c.requested_at)
    }
    await transaction.connection.execute(update(JOBS).where(JOBS.c.name == name).values(values))


def _later(moment: ColumnElement[int], now: int) -> ColumnElement[int]:
    return case((moment > now, moment), else_=now)


def _read_term(row: Row[Any]) -> Term:
    return Term(row.holder, row.fence, row.until)
