"""Every gateway reads every batch of marks of scheduled transfers, in order."""

import asyncio

from relay.domain.korea import WEEK_S
from relay.domain.ledger import MARK_ROWS

WEEK = 1_799_506_800
"""10 January 2027, a Sunday, 00:00 in Korea."""
ONE, TWO, THREE = (bytes([number]) * 16 for number in range(3))


async def test_a_new_ledger_has_no_marks(ledger):
    assert await ledger.transfer_marks.list_after(0, WEEK) == (0, [])
    assert await ledger.transfer_marks.list_after(7, WEEK) == (0, [])  # an older ledger, restored


async def test_marks_are_read_in_order_and_once(ledger, factory):
    store = ledger.transfer_marks
    await store.add(WEEK, [ONE, TWO], factory.now)
    await store.add(WEEK, [THREE], factory.now)
    assert await store.list_after(0, WEEK) == (2, [(WEEK, ONE + TWO), (WEEK, THREE)])
    assert await store.list_after(1, WEEK) == (2, [(WEEK, THREE)])
    assert await store.list_after(2, WEEK) == (2, [])


async def test_marks_of_former_weeks_are_left_out(ledger, factory):
    store = ledger.transfer_marks
    for week in (WEEK - WEEK_S, WEEK, WEEK + WEEK_S):
        await store.add(week, [ONE], factory.now)
    assert await store.list_after(0, WEEK) == (3, [(WEEK, ONE), (WEEK + WEEK_S, ONE)])
    assert await store.list_after(0, WEEK + 2 * WEEK_S) == (3, [])


async def test_many_rows_are_read_in_parts(ledger, factory):
    store = ledger.transfer_marks
    for _ in range(MARK_ROWS + 1):
        await store.add(WEEK, [ONE], factory.now)
    number, rows = await store.list_after(0, WEEK)
    assert (number, len(rows)) == (MARK_ROWS, MARK_ROWS)
    assert await store.list_after(number, WEEK) == (MARK_ROWS + 1, [(WEEK, ONE)])


async def test_no_number_appears_below_one_already_read(ledger, factory):
    store, seen = ledger.transfer_marks, []
    marks = [bytes([number]) * 16 for number in range(40)]

    async def follow():
        number = 0
        while len(seen) < 40:
            number, rows = await store.list_after(number, WEEK)
            seen.extend(row for _, row in rows)

    await asyncio.gather(follow(), *[store.add(WEEK, [mark], factory.now) for mark in marks])
    assert sorted(seen) == marks
