"""A conflicting insert leaves the row unchanged or replace it."""

from sqlalchemy import select

from relay.infra.ledger.database.portal_tables import STATISTICS_BATCHES
from relay.infra.ledger.database.upsert import insert_into, upsert_into
from relay.infra.ledger.schema import begin_exclusive


async def execute_all(url, *statements):
    async with begin_exclusive(url) as connection:
        for make, batch_id, taken_at in statements:
            await connection.execute(make(connection), {"batch_id": batch_id, "taken_at": taken_at})
        rows = await connection.execute(select(STATISTICS_BATCHES).order_by(STATISTICS_BATCHES.c.batch_id))
        return [tuple(row) for row in rows]


async def test_an_existing_row_stays_or_is_replaced(url):
    def keep(connection):
        return insert_into(connection, STATISTICS_BATCHES).on_conflict_do_nothing()

    def replace(connection):
        return upsert_into(connection, STATISTICS_BATCHES)

    statements = [
        *[(keep, "one", 1), (keep, "one", 2)],
        *[(replace, "two", 1), (replace, "two", 2), (replace, "three", 3)],
    ]
    assert await execute_all(url, *statements) == [("one", 1), ("three", 3), ("two", 2)]
