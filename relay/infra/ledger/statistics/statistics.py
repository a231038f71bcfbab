"""Statistics in the ledger: counted in batches that are taken once, read by day, sent to the portal by week."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.statistics import Batch, ConsentCount, Line, Pulse, Repair, Sending, SendingState
from relay.infra.ledger.consents import counts as consent_counts
from relay.infra.ledger.database.portal_tables import PULSES, SENDINGS, STATISTICS, STATISTICS_BATCHES
from relay.infra.ledger.database.upsert import inserting
from relay.infra.ledger.statistics import repairs as statistics_repairs
from relay.infra.ledger.transaction import Work, Works

_LINE: Final = [STATISTICS.c[name] for name in Line._fields]


class SqlStatistics:
    """`domain.statistics.StatisticsBook` over SQLite or PostgreSQL. Every method may raise Unreachable."""

    def __init__(self, works: Works) -> None:
        self._works = works

    async def take_batch(self, batch: Batch, now: int) -> bool:
        """Add a batch, whole; False when it was taken before."""
        async with self._works.writing(now) as work:
            taken = inserting(work.rows, STATISTICS_BATCHES).values(batch_id=batch.batch_id, taken_at=now)
            fresh = taken.on_conflict_do_nothing().returning(STATISTICS_BATCHES.c.batch_id)
            if (await work.rows.execute(fresh)).one_or_none() is None:
                return False
            await _count(work, batch.counts)
            await statistics_repairs.settle(work, batch.counts)
            await _beat(work, batch.pulses)
        return True

    async def counts(self, first: str, last: str, provider: str | None = None) -> Sequence[tuple[Line, int]]:
        """What was counted on the days `first` to `last`, in the order of the lines."""
        wanted = select(*_LINE, STATISTICS.c.counted).where(_on(first, last, provider)).order_by(*_LINE)
        async with self._works.reading() as rows:
            return [(Line(*line), counted) for *line, counted in await rows.execute(wanted)]

    async def repair(self, stat_date: str, records: Mapping[Line, int], now: int) -> Sequence[Repair]:
        """Raise the lines of a day to what the access records say; what was added. Lines that have more stay."""
        async with self._works.writing(now) as work:
            await statistics_repairs.lock(work)
            known = await work.rows.execute(select(*_LINE, STATISTICS.c.counted).where(_on(stat_date, stat_date, None)))
            counted = {Line(*line): count for *line, count in known}
            ours = {line: count for line, count in records.items() if line.stat_date == stat_date}
            added = {line: count - counted.get(line, 0) for line, count in sorted(ours.items())}
            added = {line: count for line, count in added.items() if count > 0}
            await _count(work, added)
            return await statistics_repairs.keep(work, added)

    async def repairs(self, first: str, last: str) -> Sequence[Repair]:
        """What was repaired of the days `first` to `last`, in the order in which it was."""
        async with self._works.reading() as rows:
            return await statistics_repairs.between(rows, first, last)

    async def consent_counts(self, days: Sequence[str], provider: str | None = None) -> Sequence[ConsentCount]:
        """Consents on these days, in the order of days and services; none with three zeros."""
        async with self._works.reading() as rows:
            return await consent_counts.counted(rows, days, provider)

    async def first_day(self) -> str:
        """The first day anything was counted on, "" when nothing was."""
        async with self._works.reading() as rows:
            return (await rows.execute(select(func.min(STATISTICS.c.stat_date)))).scalar_one() or ""

    async def providers_in(self, first: str, last: str) -> frozenset[str]:
        """Institutions that anything was counted for on these days."""
        wanted = select(STATISTICS.c.provider).where(_on(first, last, None)).distinct()
        async with self._works.reading() as rows:
            return frozenset((await rows.execute(wanted)).scalars())

    async def changed_since(self, first: str, last: str, provider: str, moment: int) -> bool:
        """Whether a batch changed this institution's figures of these days at `moment` or later."""
        wanted = select(STATISTICS.c.provider).where(_on(first, last, provider), STATISTICS.c.changed_at >= moment)
        async with self._works.reading() as rows:
            return (await rows.execute(wanted.limit(1))).first() is not None

    async def pulse(self, provider: str) -> Pulse | None:
        """How an institution was met lately, by all gateways together."""
        wanted = select(PULSES.c.answered_at, PULSES.c.failed_at, PULSES.c.failures)
        async with self._works.reading() as rows:
            row = (await rows.execute(wanted.where(PULSES.c.provider == provider))).one_or_none()
        return None if row is None else Pulse(*row)

    async def sendings(self, week: str, provider: str | None = None, *, content: bool = True) -> Sequence[Sending]:
        """The messages of a week, of one institution or all, in the order of provider and type."""
        chosen = SENDINGS.c.week == week
        if provider is not None:
            chosen = and_(chosen, SENDINGS.c.provider == provider)
        async with self._works.reading() as rows:
            return await _sendings(rows, chosen, content=content)

    async def keep_sending(self, sending: Sending, fence: int, now: int) -> None:
        """Keep a message as it stands now. Raises Superseded.

        Only an acceptance since answers a request of the portal for it, of figures that were read since.
        """
        values = _values(sending)
        is_accepted = sending.state is SendingState.ACCEPTED
        async with self._works.writing(now, fence=fence) as work:
            kept = inserting(work.rows, SENDINGS).values(**values, asked=sending.asked and not is_accepted, asked_at=0)
            since = min(sending.counted_at, sending.accepted_at)
            answered = SENDINGS.c.asked_at <= since if is_accepted else false()
            still = or_(and_(SENDINGS.c.asked, ~answered), kept.excluded.asked)
            changed = {name: kept.excluded[name] for name in values} | {"asked": still}
            await work.rows.execute(kept.on_conflict_do_update(index_elements=list(SENDINGS.primary_key), set_=changed))

    async def ask_again(self, week: str, provider: str, types: Sequence[str], now: int) -> None:
        """The portal wants these again (지원-104)."""
        waiting = [_values(Sending(week, provider, each, SendingState.WAITING)) for each in sorted(set(types))]
        if not waiting:
            return
        async with self._works.writing(now) as work:
            added = inserting(work.rows, SENDINGS).values([{**row, "asked": True, "asked_at": now} for row in waiting])
            asked = {name: added.excluded[name] for name in ("asked", "asked_at")}
            await work.rows.execute(added.on_conflict_do_update(index_elements=list(SENDINGS.primary_key), set_=asked))

    async def asked_again(self, *, content: bool = True) -> Sequence[Sending]:
        """Those that the portal asked for and that were not accepted since."""
        async with self._works.reading() as rows:
            return await _sendings(rows, SENDINGS.c.asked, content=content)


async def _count(work: Work, counts: Mapping[Line, int]) -> None:
    """In one order, so that two batches of the same lines wait for each other and never in a circle."""
    lines = [{**line._asdict(), "counted": counts[line], "changed_at": work.now} for line in sorted(counts)]
    added = inserting(work.rows, STATISTICS)
    changed = {
        "counted": STATISTICS.c.counted + added.excluded.counted,
        "changed_at": _latest(STATISTICS.c.changed_at, added.excluded.changed_at),
    }
    if lines:
        await work.rows.execute(added.on_conflict_do_update(index_elements=_LINE, set_=changed), lines)


async def _beat(work: Work, pulses: Mapping[str, Pulse]) -> None:
    """Failures count from the last answer on; gateways tell of theirs in any order."""
    beats = [{"provider": provider, **pulses[provider]._asdict()} for provider in sorted(pulses)]
    added = inserting(work.rows, PULSES)
    was, told = PULSES.c, added.excluded
    is_over = and_(told.answered_at > was.answered_at, told.answered_at >= was.failed_at)
    is_late = told.failed_at < was.answered_at
    changed = {
        "answered_at": _latest(was.answered_at, told.answered_at),
        "failed_at": _latest(was.failed_at, told.failed_at),
        "failures": case((is_over, 0), else_=was.failures) + case((is_late, 0), else_=told.failures),
    }
    if beats:
        await work.rows.execute(added.on_conflict_do_update(index_elements=[was.provider], set_=changed), beats)


def _latest(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((one > other, one), else_=other)


def _on(first: str, last: str, provider: str | None) -> ColumnElement[bool]:
    days = STATISTICS.c.stat_date.between(first, last)
    return days if provider is None else and_(days, STATISTICS.c.provider == provider)


def _values(sending: Sending) -> dict[str, Any]:
    """The columns of a message but for those of the portal's asking."""
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


async def _sendings(rows: AsyncConnection, chosen: ColumnElement[bool], *, content: bool) -> list[Sending]:
    columns = [column for column in SENDINGS.c if column.name != "asked_at" and (content or column.name != "content")]
    found = (await rows.execute(select(*columns).where(chosen).order_by(*SENDINGS.primary_key))).mappings()
    return [_sending(dict(row)) for row in found]


def _sending(row: dict[str, Any]) -> Sending:
    packed = row.pop("content", None)
    content = b"" if packed is None else zlib.decompress(packed)
    return Sending(**{**row, "state": SendingState(row["state"]), "content": content})
