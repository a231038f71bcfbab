"""What is over for long leaves the ledger, little by little: others never wait longer than one small transaction takes.

A row is looked up first and removed by its key then, so that on SQLite nobody waits while it is searched for. What is
over stays over, so what was found may go whatever happens in between. Broken off, it goes on where it is called again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, delete, exists, not_, or_, select, tuple_

from relay.domain.authorization.consent import ConsentState
from relay.domain.jobs import Limits
from relay.infra.ledger.database.portal_tables import (
    PORTAL_CALLS,
    REGISTRY_DISCARDED,
    REGISTRY_PAST,
    SENDINGS,
    STATISTICS,
    STATISTICS_BATCHES,
    STATISTICS_REPAIRS,
)
from relay.infra.ledger.database.tables import (
    AUTHORIZATION_REQUESTS,
    CODES,
    CONSENT_SCOPES,
    CONSENTS,
    EVIDENCE,
    HISTORY,
    REVOCATIONS,
    SPENT,
    TOKENS,
)
from relay.infra.ledger.transaction import Works

BATCH: Final = 500
"""So many rows go in one transaction."""
GROUP: Final = 100
"""So many consents or requests go together with all that belongs to them."""
BATCHES_S: Final = 8 * 86400
"""So long a batch of counts is known again. A gateway that kept one for longer is beyond help anyway."""
REVOCATIONS_S: Final = 91 * 86400
"""So long after its token expired a revocation is told of: no token lives longer than 90 days (규격), no grant longer
than its token."""

PAST_S: Final = 100 * 86400
"""So long the registry knows what was in force before: longer than any `portal.forget_days`."""


_ACTIVE: Final = ConsentState.ACTIVE.value


class SqlArchive:
    """`domain.jobs.Archive` over SQLite or PostgreSQL. May raise Unreachable."""

    def __init__(self, works: Works) -> None:
        self._works = works

    async def purge(self, limits: Limits, fence: int, now: int) -> Mapping[str, int]:
        """Remove what was over before the limits; how many rows went, by table. Raises Superseded."""
        sweep = _Sweep(self._works, fence, now)
        await sweep.consents(limits.consents)
        await sweep.requests(limits.requests)
        for table, is_over in _single(limits, now):
            await sweep.rows(table, is_over)
        return dict(sweep.gone)


def _single(limits: Limits, now: int) -> Sequence[tuple[Table, ColumnElement[bool]]]:
    """Tables of rows that go by themselves, and when they do."""
    expired = select(TOKENS.c.jti).where(TOKENS.c.expires_at < now - REVOCATIONS_S)
    return (
        (REVOCATIONS, REVOCATIONS.c.jti.in_(expired)),
        (SPENT, SPENT.c.spent_at < limits.spent),
        (STATISTICS, STATISTICS.c.stat_date < limits.statistics),
        (SENDINGS, and_(SENDINGS.c.week <= limits.statistics, not_(SENDINGS.c.asked))),
        (STATISTICS_BATCHES, STATISTICS_BATCHES.c.taken_at < now - BATCHES_S),
        (STATISTICS_REPAIRS, STATISTICS_REPAIRS.c.stat_date < limits.statistics),
        (PORTAL_CALLS, PORTAL_CALLS.c.at < limits.calls),
        (REGISTRY_PAST, REGISTRY_PAST.c.at < now - PAST_S),
        (REGISTRY_DISCARDED, REGISTRY_DISCARDED.c.at < now - PAST_S),
    )


class _Sweep:
    """One purge on its way; `gone` counts rows by table."""

    def __init__(self, works: Works, fence: int, now: int) -> None:
        self._works = works
        self._fence = fence
        self._now = now
        self.gone: Counter[str] = Counter()

    async def consents(self, limit: int) -> None:
        """Consents that ended before the limit, the oldest first, with all that belongs to them."""
        is_over = and_(CONSENTS.c.state != ConsentState.ACTIVE.value, CONSENTS.c.ended_at < limit)
        wanted = select(CONSENTS.c.consent_id).where(is_over).order_by(CONSENTS.c.ended_at).limit(GROUP)
        while some := [row[0] for row in await self._found(wanted)]:
            tokens = select(TOKENS.c.jti).where(TOKENS.c.consent_id.in_(some))
            await self.rows(REVOCATIONS, REVOCATIONS.c.jti.in_(tokens))
            await self.rows(HISTORY, and_(HISTORY.c.thing == "token", HISTORY.c.thing_id.in_(tokens)))
            for table in (TOKENS, CODES, EVIDENCE, CONSENT_SCOPES):
                await self.rows(table, table.c.consent_id.in_(some))
            await self.rows(HISTORY, and_(HISTORY.c.thing == "consent", HISTORY.c.thing_id.in_(some)))
            await self._remove(CONSENTS, [(each,) for each in some])

    async def requests(self, limit: int) -> None:
        """Codes that expired before the limit, then requests that did and have no code.

        An unspent code stays while its consent is in force: by it the consent ends.
        """
        in_force = exists().where(CONSENTS.c.consent_id == CODES.c.consent_id, CONSENTS.c.state == _ACTIVE)
        await self.rows(CODES, and_(CODES.c.expires_at < limit, or_(CODES.c.spent_at.is_not(None), ~in_force)))
        requests = AUTHORIZATION_REQUESTS
        has_code = exists().where(CODES.c.request_id == requests.c.request_id)
        wanted = select(requests.c.request_id).where(requests.c.expires_at < limit, ~has_code).limit(GROUP)
        while some := [row[0] for row in await self._found(wanted)]:
            await self.rows(HISTORY, and_(HISTORY.c.thing == "request", HISTORY.c.thing_id.in_(some)))
            await self._remove(requests, [(each,) for each in some])

    async def rows(self, table: Table, is_over: ColumnElement[bool]) -> None:
        """The rows of a table that this is true of."""
        wanted = select(*table.primary_key).where(is_over).limit(BATCH)
        while some := [tuple(row) for row in await self._found(wanted)]:
            await self._remove(table, some)

    async def _found(self, wanted: Any) -> Sequence[Any]:
        async with self._works.reading() as rows:
            return (await rows.execute(wanted)).all()

    async def _remove(self, table: Table, keys: Sequence[tuple[Any, ...]]) -> None:
        async with self._works.writing(self._now, fence=self._fence) as work:
            this = tuple_(*table.primary_key).in_(keys)
            self.gone[table.name] += (await work.rows.execute(delete(table).where(this))).rowcount
