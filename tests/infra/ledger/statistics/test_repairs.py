"""A repair raises counts once; the same calls in a later batch are subtracted."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.domain.statistics import Batch, Line, Repair

NOW, DAY = 1_800_000_000, "20270115"
LINE = Line(DAY, "00", "ZBAA000001", "ZOPA000001", "svc1", "1", "BA01", "200_00000")
OTHER = LINE._replace(outcome="401_40101")
NEXT_DAY = LINE._replace(stat_date="20270116")


@pytest.fixture
def book(ledger):
    return ledger.statistics


async def read_counts(book):
    return dict(await book.counts("20270101", "20271231"))


async def test_a_repair_raises_lower_counts_and_returns_them(book):
    await book.take_batch(Batch("one", {LINE: 3, NEXT_DAY: 1}), NOW)
    repairs = await book.repair(DAY, {LINE: 5, OTHER: 2, NEXT_DAY: 9}, NOW + 1)
    assert repairs == [Repair(NOW + 1, LINE, 2, 2), Repair(NOW + 1, OTHER, 2, 2)]
    assert await read_counts(book) == {LINE: 5, OTHER: 2, NEXT_DAY: 1}
    assert await book.repairs(DAY, DAY) == repairs
    assert await book.changed_since(DAY, DAY, LINE.provider, NOW + 1)


async def test_a_second_repair_does_nothing(book):
    for _ in range(2):
        repairs = await book.repair(DAY, {LINE: 5}, NOW)
    assert repairs == []
    assert await read_counts(book) == {LINE: 5}
    assert len(await book.repairs(DAY, DAY)) == 1


async def test_counts_above_the_records_stay(book):
    await book.take_batch(Batch("one", {LINE: 3}), NOW)
    assert await book.repair(DAY, {LINE: 2}, NOW) == []
    assert await read_counts(book) == {LINE: 3}


async def test_a_late_batch_adds_only_calls_beyond_the_repair(book):
    await book.repair(DAY, {LINE: 3}, NOW)
    await book.take_batch(Batch("late", {LINE: 2, OTHER: 1}), NOW + 1)
    assert await read_counts(book) == {LINE: 3, OTHER: 1}
    assert [repair.pending for repair in await book.repairs(DAY, DAY)] == [1]
    await book.take_batch(Batch("later", {LINE: 4, NEXT_DAY: 1}), NOW + 2)
    assert await read_counts(book) == {LINE: 6, OTHER: 1, NEXT_DAY: 1}
    assert await book.take_batch(Batch("later", {LINE: 4}), NOW + 3) is False
    assert (await read_counts(book))[LINE] == 6


async def test_concurrent_repairs_and_batches_count_nothing_twice(book):
    """The records contain each batch: in any order the sum is that of the records."""
    for turn in range(5):
        line = LINE._replace(api_code=f"AP{turn:04}")
        await asyncio.gather(
            book.repair(DAY, {line: 6}, NOW),
            *(book.take_batch(Batch(f"{turn} {number}", {line: 2}), NOW) for number in range(3)),
            book.repair(DAY, {line: 6}, NOW),
        )
        assert (await read_counts(book))[line] == 6


COUNTS = st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=12)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=COUNTS)
async def test_any_order_of_batches_and_repairs_matches_the_records(book, steps):
    """`True` is a batch that comes after the repair."""
    line = LINE._replace(api_code=f"AP{next(NAMES):04}")
    records = sum(count for _, count in steps)
    for index, (is_late, count) in enumerate(steps):
        if not is_late:
            await book.take_batch(Batch(f"{line.api_code} {index}", {line: count}), NOW)
    await book.repair(DAY, {line: records}, NOW)
    for index, (is_late, count) in enumerate(steps):
        if is_late:
            await book.take_batch(Batch(f"{line.api_code} {index}", {line: count}), NOW)
            await book.repair(DAY, {line: records}, NOW)
    assert (await read_counts(book)).get(line, 0) == records


NAMES = iter(range(10_000))
