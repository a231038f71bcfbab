"""Jobs in the ledger: how they stand, who leads, what the portal was called for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, case, insert, select, update

from relay.domain.jobs import AHEAD_MOST_S, JobState, PortalCall, Term
from relay.infra.ledger.database.portal_tables import JOBS, LEADERSHIP, PORTAL_CALLS
from relay.infra.ledger.database.upsert import inserting
from relay.infra.ledger.transaction import Work, Works

_CALL_COLUMNS: Final = [column for column in PORTAL_CALLS.c if column.name != "number"]


class SqlJobs:
    """`domain.jobs.JobsBook` over SQLite or PostgreSQL. Every method may raise Unreachable."""

    def __init__(self, works: Works) -> None:
        self._works = works

    async def lead(self, holder: str, lasts_s: int, now: int) -> Term | None:
        """A term that runs is renewed for its holder; one that ended is followed by a new one. None for all others.

        One that a wrong clock wrote (`Term.runs`) is followed at once.
        """
        runs = (LEADERSHIP.c.until > now) & (LEADERSHIP.c.until <= now + AHEAD_MOST_S)
        is_ours = (LEADERSHIP.c.holder == holder) & runs
        fence = case((is_ours, LEADERSHIP.c.fence), else_=LEADERSHIP.c.fence + 1)
        taken = update(LEADERSHIP).where(is_ours | ~runs).values(holder=holder, fence=fence, until=now + lasts_s)
        async with self._works.writing(now) as work:
            row = (await work.rows.execute(taken.returning(*LEADERSHIP.c))).one_or_none()
        return None if row is None else _term(row)

    async def new_fence(self, holder: str, lasts_s: int, now: int) -> int:
        """The fence of a leader that was chosen elsewhere: higher than every one before."""
        taken = update(LEADERSHIP).values(holder=holder, fence=LEADERSHIP.c.fence + 1, until=now + lasts_s)
        async with self._works.writing(now) as work:
            fence: int = (await work.rows.execute(taken.returning(LEADERSHIP.c.fence))).scalar_one()
        return fence

    async def yield_lead(self, holder: str, now: int) -> None:
        """End this holder's term, if it runs."""
        runs = (LEADERSHIP.c.holder == holder) & (LEADERSHIP.c.until > now)
        async with self._works.writing(now) as work:
            await work.rows.execute(update(LEADERSHIP).where(runs).values(until=now))

    async def leader(self) -> Term | None:
        """The last term, None before the first."""
        async with self._works.reading() as rows:
            row = (await rows.execute(select(LEADERSHIP))).one()
        return _term(row) if row.fence else None

    async def jobs(self) -> Mapping[str, JobState]:
        """How the jobs stand, by name."""
        async with self._works.reading() as rows:
            found = (await rows.execute(select(JOBS).order_by(JOBS.c.name))).mappings()
            return {row["name"]: JobState(**row) for row in found}

    async def begun(self, name: str, fence: int, now: int) -> None:
        """A job begins, and answers everybody who asked before, whatever their clocks say. Raises Superseded.

        Its beginning is later than its last end, also within one second: that tells that it runs.
        """
        at = _later(case((JOBS.c.ended_at >= JOBS.c.asked_at, JOBS.c.ended_at + 1), else_=JOBS.c.asked_at), now)
        async with self._works.writing(now, fence=fence) as work:
            await _forget_future(work, name, now)
            await _change(work, name, begun_at=at)

    async def ended(self, name: str, fence: int, *, well: bool, told: str, due_at: int, now: int) -> None:
        """A job ended. Raises Superseded."""
        at = _later(JOBS.c.begun_at, now)
        outcome: dict[str, Any] = {"succeeded_at": at, "failures": 0} if well else {"failures": JOBS.c.failures + 1}
        async with self._works.writing(now, fence=fence) as work:
            await _change(work, name, ended_at=at, due_at=due_at, told=told, **outcome)

    async def ask(self, name: str, now: int) -> None:
        """Somebody wants a job to run now: it begins once more, although it may have begun this second."""
        async with self._works.writing(now) as work:
            await _change(work, name, asked_at=_later(JOBS.c.begun_at + 1, now))

    async def called(self, call: PortalCall) -> None:
        """Record a call to the portal."""
        async with self._works.writing(int(call.at)) as work:
            await work.rows.execute(insert(PORTAL_CALLS), asdict(call))

    async def calls(self, most: int) -> Sequence[PortalCall]:
        """The last calls to the portal, the latest first."""
        wanted = select(*_CALL_COLUMNS).order_by(PORTAL_CALLS.c.at.desc(), PORTAL_CALLS.c.number.desc()).limit(most)
        async with self._works.reading() as rows:
            return [PortalCall(**row) for row in (await rows.execute(wanted)).mappings()]


async def _change(work: Work, name: str, **values: Any) -> None:
    """Change the row of a job, which comes to be as one that never ran."""
    fresh = asdict(JobState(name))
    await work.rows.execute(inserting(work.rows, JOBS).values(fresh).on_conflict_do_nothing())
    await work.rows.execute(update(JOBS).where(JOBS.c.name == name).values(values))


async def _forget_future(work: Work, name: str, now: int) -> None:
    """Bring back to now what a clock that ran ahead wrote: nothing of the future counts as done or asked."""
    ahead = {
        column.name: case((column > now + AHEAD_MOST_S, now), else_=column)
        for column in (JOBS.c.begun_at, JOBS.c.ended_at, JOBS.c.succeeded_at, JOBS.c.asked_at)
    }
    await work.rows.execute(update(JOBS).where(JOBS.c.name == name).values(ahead))


def _later(moment: ColumnElement[int], now: int) -> ColumnElement[int]:
    return case((moment > now, moment), else_=now)


def _term(row: Row[Any]) -> Term:
    return Term(row.holder, row.fence, row.until)
