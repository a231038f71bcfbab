"""Counts of consents by day, computed from the consents' rows (지원-005, type 2)."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.authorization.consent import ConsentState
from relay.domain.korea import DAY_S, parse_day, start_of_day
from relay.domain.statistics import ConsentCount
from relay.infra.ledger.database.tables import CONSENTS

_COUNTED_BY: Final = (CONSENTS.c.provider, CONSENTS.c.operator, CONSENTS.c.client_id)
_DAYS_PER_QUERY: Final = 7
"""The days that one query counts: a week."""


async def count_consents(connection: AsyncConnection, days: Sequence[str], provider: str | None) -> list[ConsentCount]:
    """Returns counts for these days (YYYYMMDD, in Korea), ordered by day and service, without counts of three zeros."""
    counts: list[ConsentCount] = []
    ordered = sorted(set(days))
    for start in range(0, len(ordered), _DAYS_PER_QUERY):
        counts += await _count_days(connection, ordered[start : start + _DAYS_PER_QUERY], provider)
    return sorted(counts)


async def _count_days(connection: AsyncConnection, days: Sequence[str], provider: str | None) -> list[ConsentCount]:
    sums = [func.count().filter(condition) for day in days for condition in _conditions(day)]
    begin, end = _bounds(days[0])[0], _bounds(days[-1])[1]
    conditions = [CONSENTS.c.given_at < end, or_(CONSENTS.c.ended_at.is_(None), CONSENTS.c.ended_at >= begin)]
    if provider is not None:
        conditions.append(CONSENTS.c.provider == provider)
    query = select(*_COUNTED_BY, *sums).where(*conditions).group_by(*_COUNTED_BY)
    return [count for row in await connection.execute(query) for count in _read_counts(days, tuple(row))]


def _conditions(day: str) -> tuple[ColumnElement[bool], ...]:
    """Returns the conditions for consents that are `new`, `revoked` and `own` (in force, 유효) on a day."""
    begin, end = _bounds(day)
    given, ended = CONSENTS.c.given_at, CONSENTS.c.ended_at
    return (
        and_(given >= begin, given < end),
        and_(CONSENTS.c.state == ConsentState.REVOKED.value, ended >= begin, ended < end),
        and_(given < end, CONSENTS.c.end_date >= parse_day(day), or_(ended.is_(None), ended >= end)),
    )


def _bounds(day: str) -> tuple[int, int]:
    """Returns the begin and end of a day in Korea, in epoch seconds."""
    begin = start_of_day(parse_day(day))
    return begin, begin + DAY_S


def _read_counts(days: Sequence[str], row: tuple[Any, ...]) -> Iterator[ConsentCount]:
    provider, operator, client_id, *sums = row
    for position, day in enumerate(days):
        new, revoked, own = sums[3 * position : 3 * position + 3]
        if new or revoked or own:
            yield ConsentCount(
                stat_date=day,
                provider=provider,
                operator=operator,
                client_id=client_id,
                new=new,
                revoked=revoked,
                own=own,
            )
