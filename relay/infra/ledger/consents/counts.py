"""Consents by day, counted from the consents themselves (지원-005, type 2)."""

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
_AT_ONCE: Final = 7
"""So many days are counted in one pass over the consents: a week."""


async def counted(rows: AsyncConnection, days: Sequence[str], provider: str | None) -> list[ConsentCount]:
    """Consents on these days (YYYYMMDD, in Korea), in the order of days and services; none with three zeros."""
    found: list[ConsentCount] = []
    ordered = sorted(set(days))
    for start in range(0, len(ordered), _AT_ONCE):
        found += await _pass(rows, ordered[start : start + _AT_ONCE], provider)
    return sorted(found)


async def _pass(rows: AsyncConnection, days: Sequence[str], provider: str | None) -> list[ConsentCount]:
    sums = [func.count().filter(condition) for day in days for condition in _conditions(day)]
    begins, ends = _moments(days[0])[0], _moments(days[-1])[1]
    matters = [CONSENTS.c.given_at < ends, or_(CONSENTS.c.ended_at.is_(None), CONSENTS.c.ended_at >= begins)]
    if provider is not None:
        matters.append(CONSENTS.c.provider == provider)
    wanted = select(*_SERVICE, *sums).where(*matters).group_by(*_SERVICE)
    return [count for row in await rows.execute(wanted) for count in _counts(days, tuple(row))]


def _conditions(day: str) -> tuple[ColumnElement[bool], ...]:
    """What is true of the consents that are `new`, `revoked` and `own` on a day."""
    begins, ends = _moments(day)
    date = datetime.strptime(day, "%Y%m%d").replace(tzinfo=KOREA).date()
    given, ended = CONSENTS.c.given_at, CONSENTS.c.ended_at
    return (
        and_(given >= begins, given < ends),
        and_(CONSENTS.c.state == ConsentState.REVOKED.value, ended >= begins, ended < ends),
        and_(given < ends, CONSENTS.c.end_date >= date, or_(ended.is_(None), ended >= ends)),
    )


def _moments(day: str) -> tuple[int, int]:
    """When a day in Korea begins and ends, in epoch seconds."""
    begins = int(datetime.strptime(day, "%Y%m%d").replace(tzinfo=KOREA).timestamp())
    return begins, begins + _DAY_S


def _counts(days: Sequence[str], row: tuple[Any, ...]) -> Iterator[ConsentCount]:
    provider, operator, client_id, *sums = row
    for position, day in enumerate(days):
        new, revoked, own = sums[3 * position : 3 * position + 3]
        if new or revoked or own:
            yield ConsentCount(day, provider, operator, client_id, new, revoked, own)
