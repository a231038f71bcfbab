import asyncio
import threading

import pytest

from relay.domain.queue_full import Crowded
from relay.infra.fair_semaphore import Turns, Workers

A, B = b"a", b"b"


@pytest.fixture
def workers():
    """Makes threads that end with the test; one of each party at once."""
    made = []

    def make(threads, **more):
        made.append(Workers(threads, Turns(threads, 1, **more), "test"))
        return made[-1]

    yield make
    for each in made:
        each.close()


class Work:
    """Work that says when it began and goes on until it is let go."""

    def __init__(self):
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self):
        self.begun.set()
        assert self.go.wait(10)
        return "done"

    async def has_begun(self):
        assert await asyncio.to_thread(self.begun.wait, 10)


async def test_what_the_work_returns_or_raises_comes_back(workers):
    threads = workers(1)
    assert await threads.run(A, lambda: 7) == 7
    with pytest.raises(KeyError):
        await threads.run(A, lambda: {}["x"])


async def test_fifty_of_one_customer_leave_room_for_another(workers):
    threads = workers(2)
    works = [Work() for _ in range(50)]
    many = [asyncio.create_task(threads.run(A, work)) for work in works]
    await works[0].has_begun()
    assert await threads.run(B, lambda: "at once") == "at once"
    assert [work.begun.is_set() for work in works].count(True) == 1
    for work in works:
        work.go.set()
    assert await asyncio.gather(*many) == ["done"] * 50


async def test_on_one_thread_another_customer_is_next(workers):
    threads = workers(1)
    order, first = [], Work()
    many = [asyncio.create_task(threads.run(A, first))]
    await first.has_begun()
    many += [asyncio.create_task(threads.run(A, lambda at=at: order.append(("a", at)))) for at in range(49)]
    await asyncio.sleep(0)
    other = asyncio.create_task(threads.run(B, lambda: order.append("b")))
    await asyncio.sleep(0)
    first.go.set()
    await asyncio.gather(*many, other)
    assert order.index("b") <= 1
    assert [each for each in order if each != "b"] == [("a", at) for at in range(49)]


async def test_a_turn_ends_with_its_thread_not_with_who_waits(workers):
    threads = workers(1)
    work, order = Work(), []
    given_up = asyncio.create_task(threads.run(A, work))
    await work.has_begun()
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    follower = asyncio.create_task(threads.run(B, lambda: order.append("b")))
    await asyncio.sleep(0)
    assert order == []
    work.go.set()
    await follower
    assert order == ["b"]


async def test_who_gives_up_waiting_leaves_nothing_behind(workers):
    turns = Turns(1, 1)
    await turns.take(A)
    for whose in (A, B):
        waiting = asyncio.create_task(turns.take(whose))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    turns.give_back(A)
    assert (turns._lanes, turns._people) == ({}, 0)
    async with asyncio.timeout(1), turns.turn(B):
        pass


async def test_too_many_are_told_to_come_again(workers):
    threads = workers(1, waiting=2)
    works = [Work() for _ in range(3)]
    waiting = [asyncio.create_task(threads.run(whose, work)) for whose, work in zip((A, A, B), works, strict=True)]
    await works[0].has_begun()
    with pytest.raises(Crowded):
        await threads.run(b"c", works[0])
    for work in works:
        work.go.set()
    await asyncio.gather(*waiting)


async def test_a_lane_has_room_of_its_own():
    turns = Turns(1, 1, waiting=10, waiting_each=2)
    await turns.take(A)
    waiting = [asyncio.create_task(turns.take(A)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Crowded):
        await turns.take(A)
    waiting.append(asyncio.create_task(turns.take(B)))
    for whose in (A, B, A, A):
        turns.give_back(whose)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert (turns._lanes, turns._people) == ({}, 0)


async def test_who_found_no_room_leaves_nothing_behind():
    turns = Turns(1, 1, waiting=0)
    await turns.take(A)
    with pytest.raises(Crowded):
        await turns.take(B)
    turns.give_back(A)
    assert (turns._lanes, turns._people) == ({}, 0)


async def test_after_the_end_nothing_begins(workers):
    threads = workers(1)
    threads.close()
    with pytest.raises(RuntimeError):
        await threads.run(A, lambda: 7)
    assert threads._turns._people == 0


async def test_each_customer_has_few_turns_of_many():
    turns = Turns(4, 2)
    await turns.take(A)
    await turns.take(A)
    third = asyncio.create_task(turns.take(A))
    await asyncio.sleep(0)
    assert not third.done()
    async with asyncio.timeout(1), turns.turn(B):
        turns.give_back(A)
        await third
    turns.give_back(A)
    turns.give_back(A)
    assert turns._lanes == {}
