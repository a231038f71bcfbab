"""Every gateway reads every batch of digests of scheduled transfers, in order."""

import asyncio

from relay.domain.korea import WEEK_S
from relay.domain.ledger import TRANSFER_ROWS

WEEK = 1_799_506_800
"""10 January 2027, a Sunday, 00:00 in Korea."""
ONE, TWO, THREE = (bytes([number]) * 16 for number in range(3))


async def test_a_new_ledger_has_no_digests(ledger):
    assert await ledger.transfers.list_after(0, WEEK) == (0, [])
    assert await ledger.transfers.list_after(7, WEEK) == (0, [])  # an older ledger, restored


async def test_digests_are_read_in_order_and_once(ledger, factory):
    store = ledger.transfers
    await store.add(WEEK, [ONE, TWO], factory.now)
    await store.add(WEEK, [THREE], factory.now)
    assert await store.list_after(0, WEEK) == (2, [(WEEK, ONE + TWO), (WEEK, THREE)])
    assert await store.list_after(1, WEEK) == (2, [(WEEK, THREE)])
    assert await store.list_after(2, WEEK) == (2, [])


async def test_digests_of_former_weeks_are_left_out(ledger, factory):
    store = ledger.transfers
    for week in (WEEK - WEEK_S, WEEK, WEEK + WEEK_S):
        await store.add(week, [ONE], factory.now)
    assert await store.list_after(0, WEEK) == (3, [(WEEK, ONE), (WEEK + WEEK_S, ONE)])
    assert await store.list_after(0, WEEK + 2 * WEEK_S) == (3, [])


async def test_many_rows_are_read_in_parts(ledger, factory):
    store = ledger.transfers
    for _ in range(TRANSFER_ROWS + 1):
        await store.add(WEEK, [ONE], factory.now)
    number, rows = await store.list_after(0, WEEK)
    assert (number, len(rows)) == (TRANSFER_ROWS, TRANSFER_ROWS)
    assert await store.list_after(number, WEEK) == (TRANSFER_ROWS + 1, [(WEEK, ONE)])


async def test_no_number_appears_below_one_already_read(ledger, factory):
    store, seen = ledger.transfers, []
    digests = [bytes([number]) * 16 for number in range(40)]

    async def follow():
        number = 0
        while len(seen) < 40:
            number, rows = await store.list_after(number, WEEK)
            seen.extend(row for _, row in rows)

    await asyncio.gather(follow(), *[store.add(WEEK, [digest], factory.now) for digest in digests])
    assert sorted(seen) == digests
