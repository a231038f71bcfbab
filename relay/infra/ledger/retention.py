"""Removes old rows in small transactions, so that other writers never wait long.

Keys are read first and rows are removed by key, so that on SQLite no writer waits for the search. A final state never
changes, so the rows can be removed later than they were read. When interrupted, the next call continues.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, delete, exists, not_, or_, select, tuple_

from relay.domain.authorization.consent import ConsentState
from relay.domain.jobs import RetentionLimits
from relay.domain.korea import DAY_S, start_of_week
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
    TRANSFERS,
)
from relay.infra.ledger.transaction import Transactions

BATCH: Final = 500
"""Rows removed in one transaction."""
GROUP: Final = 100
"""Consents or requests removed together with their dependent rows."""
BATCHES_S: Final = 8 * 86400
"""Seconds for which a repeated batch of counts is recognized: longer than a gateway keeps one."""
REVOCATIONS_S: Final = 91 * 86400
"""Seconds for which a revocation stays after its token expired: no token lives longer than 90 days (규격), no grant
longer than its token."""

PAST_S: Final = 100 * 86400
"""Seconds for which the registry keeps former values: longer than any `portal.forget_days`."""


_ACTIVE: Final = ConsentState.ACTIVE.value


class SqlArchive:
    """`domain.jobs.Archive` over SQLite or PostgreSQL. May raise LedgerDown."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def purge(self, limits: RetentionLimits, fence: int, now: int) -> Mapping[str, int]:
        """Removes rows that ended before the limits. Returns the numbers of rows, by table. Raises Superseded."""
        purge = _Purge(self._transactions, fence, now)
        await purge.remove_consents(limits.consents)
        await purge.remove_requests(limits.requests)
        for table, is_over in _independent_tables(limits, now):
            await purge.remove_rows(table, is_over)
        return dict(purge.removed)


def _independent_tables(limits: RetentionLimits, now: int) -> Sequence[tuple[Table, ColumnElement[bool]]]:
    """Returns the tables whose rows are removed one by one, and the condition for their removal."""
    expired = select(TOKENS.c.jti).where(TOKENS.c.expires_at < now - REVOCATIONS_S)
    return (
        (REVOCATIONS, REVOCATIONS.c.jti.in_(expired)),
        (SPENT, SPENT.c.spent_at < limits.spent),
        (TRANSFERS, TRANSFERS.c.week_start < start_of_week(now - DAY_S)),
        (STATISTICS, STATISTICS.c.stat_date < limits.statistics),
        (SENDINGS, and_(SENDINGS.c.week <= limits.statistics, not_(SENDINGS.c.requested))),
        (STATISTICS_BATCHES, STATISTICS_BATCHES.c.taken_at < now - BATCHES_S),
        (STATISTICS_REPAIRS, STATISTICS_REPAIRS.c.stat_date < limits.statistics),
        (PORTAL_CALLS, PORTAL_CALLS.c.at < limits.calls),
        (REGISTRY_PAST, REGISTRY_PAST.c.at < now - PAST_S),
        (REGISTRY_DISCARDED, REGISTRY_DISCARDED.c.at < now - PAST_S),
    )


class _Purge:
    """One run of `SqlArchive.purge`; `removed` counts rows by table."""

    def __init__(self, transactions: Transactions, fence: int, now: int) -> None:
        self._transactions = transactions
        self._fence = fence
        self._now = now
        self.removed: Counter[str] = Counter()

    async def remove_consents(self, limit: int) -> None:
        """Removes consents that ended before the limit, the oldest first, with all dependent rows."""
        is_over = and_(CONSENTS.c.state != ConsentState.ACTIVE.value, CONSENTS.c.ended_at < limit)
        query = select(CONSENTS.c.consent_id).where(is_over).order_by(CONSENTS.c.ended_at).limit(GROUP)
        while consent_ids := [row[0] for row in await self._fetch(query)]:
            tokens = select(TOKENS.c.jti).where(TOKENS.c.consent_id.in_(consent_ids))
            await self.remove_rows(REVOCATIONS, REVOCATIONS.c.jti.in_(tokens))
            await self.remove_rows(HISTORY, and_(HISTORY.c.thing == "token", HISTORY.c.thing_id.in_(tokens)))
            for table in (TOKENS, CODES, EVIDENCE, CONSENT_SCOPES):
                await self.remove_rows(table, table.c.consent_id.in_(consent_ids))
            await self.remove_rows(HISTORY, and_(HISTORY.c.thing == "consent", HISTORY.c.thing_id.in_(consent_ids)))
            await self._remove_keys(CONSENTS, [(consent_id,) for consent_id in consent_ids])

    async def remove_requests(self, limit: int) -> None:
        """Removes codes that expired before the limit, then expired requests without a code.

        An unused code stays while its consent is in force: the consent ends because of it.
        """
        is_in_force = exists().where(CONSENTS.c.consent_id == CODES.c.consent_id, CONSENTS.c.state == _ACTIVE)
        is_over = and_(CODES.c.expires_at < limit, or_(CODES.c.spent_at.is_not(None), ~is_in_force))
        await self.remove_rows(CODES, is_over)
        requests = AUTHORIZATION_REQUESTS
        has_code = exists().where(CODES.c.request_id == requests.c.request_id)
        query = select(requests.c.request_id).where(requests.c.expires_at < limit, ~has_code).limit(GROUP)
        while request_ids := [row[0] for row in await self._fetch(query)]:
            await self.remove_rows(HISTORY, and_(HISTORY.c.thing == "request", HISTORY.c.thing_id.in_(request_ids)))
            await self._remove_keys(requests, [(request_id,) for request_id in request_ids])

    async def remove_rows(self, table: Table, is_over: ColumnElement[bool]) -> None:
        """Removes the rows of a table that meet the condition, in batches."""
        query = select(*table.primary_key).where(is_over).limit(BATCH)
        while keys := [tuple(row) for row in await self._fetch(query)]:
            await self._remove_keys(table, keys)

    async def _fetch(self, query: Any) -> Sequence[Any]:
        async with self._transactions.connect() as connection:
            return (await connection.execute(query)).all()

    async def _remove_keys(self, table: Table, keys: Sequence[tuple[Any, ...]]) -> None:
        async with self._transactions.begin(self._now, fence=self._fence) as transaction:
            removal = delete(table).where(tuple_(*table.primary_key).in_(keys))
            self.removed[table.name] += (await transaction.connection.execute(removal)).rowcount
