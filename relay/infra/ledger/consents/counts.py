"""Counts of consents by day, computed from the consents' rows (지원-005, type 2)."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.authorization.consent import KOREA, ConsentState
from relay.domain.statistics import ConsentCount
from relay.infra.ledger.database.tables import CONSENTS

_DAY_S: Final = 86400
_SERVICE: Final = (CONSENTS.c.provider, CONSENTS.c.operator, CONSENTS.c.client_id)
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
    begins, ends = _bounds(days[0])[0], _bounds(days[-1])[1]
    conditions = [CONSENTS.c.given_at < ends, or_(CONSENTS.c.ended_at.is_(None), CONSENTS.c.ended_at >= begins)]
    if provider is not None:
        conditions.append(CONSENTS.c.provider == provider)
    query = select(*_SERVICE, *sums).where(*conditions).group_by(*_SERVICE)
    return [count for row in await connection.execute(query) for count in _read_counts(days, tuple(row))]


def _conditions(day: str) -> tuple[ColumnElement[bool], ...]:
    """Returns the conditions for consents that are `new`, `revoked` and `own` on a day."""
    begins, ends = _bounds(day)
    date = datetime.strptime(day, "%Y%m%d").replace(tzinfo=KOREA).date()
    given, ended = CONSENTS.c.given_at, CONSENTS.c.ended_at
    return (
        and_(given >= begins, given < ends),
        and_(CONSENTS.c.state == ConsentState.REVOKED.value, ended >= begins, ended < ends),
        and_(given < ends, CONSENTS.c.end_date >= date, or_(ended.is_(None), ended >= ends)),
    )


def _bounds(day: str) -> tuple[int, int]:
    """Returns the begin and end of a day in Korea, in epoch seconds."""
    begins = int(datetime.strptime(day, "%Y%m%d").replace(tzinfo=KOREA).timestamp())
    return begins, begins + _DAY_S


def _read_counts(days: Sequence[str], row: tuple[Any, ...]) -> Iterator[ConsentCount]:
    provider, operator, client_id, *sums = row
    for position, day in enumerate(days):
        new, revoked, own = sums[3 * position : 3 * position + 3]
        if new or revoked or own:
            yield ConsentCount(day, provider, operator, client_id, new, revoked, own)
