"""A repair raises figures once; what a batch brings of the same calls later is taken off."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.domain.statistics import Batch, Line, Repair

NOW, DAY = 1_800_000_000, "20270115"
LINE = Line(DAY, "00", "ZBAA000001", "ZOPA000001", "svc1", "1", "BA01", "200_00000")
OTHER = LINE._replace(outcome="401_40101")
ELSEWHERE = LINE._replace(stat_date="20270116")


@pytest.fixture
def book(ledger):
    return ledger.statistics


async def figures(book):
    return dict(await book.counts("20270101", "20271231"))


async def test_a_repair_raises_what_is_less_and_says_so(book):
    await book.take_batch(Batch("one", {LINE: 3, ELSEWHERE: 1}), NOW)
    made = await book.repair(DAY, {LINE: 5, OTHER: 2, ELSEWHERE: 9}, NOW + 1)
    assert made == [Repair(NOW + 1, LINE, 2, 2), Repair(NOW + 1, OTHER, 2, 2)]
    assert await figures(book) == {LINE: 5, OTHER: 2, ELSEWHERE: 1}
    assert await book.repairs(DAY, DAY) == made
    assert await book.changed_since(DAY, DAY, LINE.provider, NOW + 1)


async def test_a_second_repair_does_nothing(book):
    for _ in range(2):
        made = await book.repair(DAY, {LINE: 5}, NOW)
    assert made == []
    assert await figures(book) == {LINE: 5}
    assert len(await book.repairs(DAY, DAY)) == 1


async def test_figures_that_are_more_than_the_records_stay(book):
    await book.take_batch(Batch("one", {LINE: 3}), NOW)
    assert await book.repair(DAY, {LINE: 2}, NOW) == []
    assert await figures(book) == {LINE: 3}


async def test_a_late_batch_adds_what_is_beyond_the_repair(book):
    await book.repair(DAY, {LINE: 3}, NOW)
    await book.take_batch(Batch("late", {LINE: 2, OTHER: 1}), NOW + 1)
    assert await figures(book) == {LINE: 3, OTHER: 1}
    assert [one.pending for one in await book.repairs(DAY, DAY)] == [1]
    await book.take_batch(Batch("later", {LINE: 4, ELSEWHERE: 1}), NOW + 2)
    assert await figures(book) == {LINE: 6, OTHER: 1, ELSEWHERE: 1}
    assert await book.take_batch(Batch("later", {LINE: 4}), NOW + 3) is False
    assert (await figures(book))[LINE] == 6


async def test_repairs_and_batches_at_the_same_moment_count_nothing_twice(book):
    """Each batch is among the records: whatever comes first, the sum is that of the records."""
    for turn in range(5):
        line = LINE._replace(api_code=f"AP{turn:04}")
        await asyncio.gather(
            book.repair(DAY, {line: 6}, NOW),
            *(book.take_batch(Batch(f"{turn} {number}", {line: 2}), NOW) for number in range(3)),
            book.repair(DAY, {line: 6}, NOW),
        )
        assert (await figures(book))[line] == 6


COUNTS = st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=12)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=COUNTS)
async def test_any_order_of_batches_and_repairs_ends_at_the_records(book, steps):
    """`True` is a batch that is kept back until the repair is done."""
    line = LINE._replace(api_code=f"AP{next(NAMES):04}")
    records = sum(count for _, count in steps)
    for at, (late, count) in enumerate(steps):
        if not late:
            await book.take_batch(Batch(f"{line.api_code} {at}", {line: count}), NOW)
    await book.repair(DAY, {line: records}, NOW)
    for at, (late, count) in enumerate(steps):
        if late:
            await book.take_batch(Batch(f"{line.api_code} {at}", {line: count}), NOW)
            await book.repair(DAY, {line: records}, NOW)
    assert (await figures(book)).get(line, 0) == records


NAMES = iter(range(10_000))
