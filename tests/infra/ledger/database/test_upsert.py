"""A row comes to be, stays as it was, or is another's place taken whole."""

from sqlalchemy import select

from relay.infra.ledger.database.portal_tables import STATISTICS_BATCHES
from relay.infra.ledger.database.upsert import inserting, upserting


async def rows_after(ledger, *statements):
    async with ledger._works.writing(0) as work:
        for make, batch_id, taken_at in statements:
            await work.rows.execute(make(work.rows), {"batch_id": batch_id, "taken_at": taken_at})
    async with ledger._works.reading() as rows:
        found = await rows.execute(select(STATISTICS_BATCHES).order_by(STATISTICS_BATCHES.c.batch_id))
        return [tuple(row) for row in found]


async def test_what_is_there_stays_or_is_replaced(ledger):
    def stays(rows):
        return inserting(rows, STATISTICS_BATCHES).on_conflict_do_nothing()

    def replaces(rows):
        return upserting(rows, STATISTICS_BATCHES)

    done = [(stays, "one", 1), (stays, "one", 2), (replaces, "two", 1), (replaces, "two", 2), (replaces, "three", 3)]
    assert await rows_after(ledger, *done) == [("one", 1), ("three", 3), ("two", 2)]
