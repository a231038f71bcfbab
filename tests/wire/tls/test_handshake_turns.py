import asyncio

import pytest

from relay.infra.fair_semaphore import FairSemaphore
from relay.wire.tls.handshake_turns import AT_ONCE, TURN_S, HandshakeTurns


class Timer:
    def __init__(self, delay, callback):
        self.delay, self.callback = delay, callback
        self.is_cancelled = False

    def cancel(self):
        self.is_cancelled = True


class Loop:
    """The part of a loop that a turn uses, with timers that a test fires."""

    def __init__(self):
        self.timers = []

    def call_later(self, delay, callback):
        self.timers.append(Timer(delay, callback))
        return self.timers[-1]


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def turns(loop):
    return HandshakeTurns(FairSemaphore(AT_ONCE, 1), lambda address: address.partition("/")[0], loop)


async def take_all(turns):
    return [await turns.acquire(f"holder{number}") for number in range(AT_ONCE)]


async def start_waiting(turns, *addresses):
    """Start tasks that each wait for a turn, in this order."""
    tasks = [asyncio.create_task(turns.acquire(address)) for address in addresses]
    await asyncio.sleep(0)
    return tasks


async def test_one_more_handshake_waits_for_the_end_of_a_turn(turns):
    held = await take_all(turns)
    (waiting,) = await start_waiting(turns, "a")
    assert not waiting.done()
    held[0].end()
    await waiting


async def test_a_group_has_one_turn_at_a_time(turns):
    await turns.acquire("flood/1")
    waiting, other = await start_waiting(turns, "flood/2", "other")
    await other
    assert not waiting.done()
    waiting.cancel()


async def test_another_group_waits_for_one_turn_of_each_group(turns):
    held = await take_all(turns)
    groups = 10
    floods = [f"flood{number % groups}/{number}" for number in range(groups * 5)]
    *flood, other = await start_waiting(turns, *floods, "other")
    granted = 0
    while not other.done():
        held.pop(0).end()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ready = [task for task in flood if task.done()]
        flood = [task for task in flood if not task.done()]
        held += [task.result() for task in ready]
        granted += len(ready)
    assert granted <= groups
    for task in flood:
        task.cancel()


async def test_a_turn_ends_by_itself_after_its_time(turns, loop):
    await take_all(turns)
    (waiting,) = await start_waiting(turns, "a")
    assert loop.timers[0].delay == TURN_S
    loop.timers[0].callback()
    await waiting


async def test_a_turn_ends_once(turns):
    held = await take_all(turns)
    held[0].end()
    held[0].end()
    await turns.acquire("a")
    (waiting,) = await start_waiting(turns, "b")
    assert not waiting.done()
    waiting.cancel()


async def test_an_ended_turn_leaves_no_timer(turns, loop):
    (await turns.acquire("a")).end()
    assert loop.timers[0].is_cancelled


async def test_a_cancelled_handshake_takes_no_turn(turns):
    held = await take_all(turns)
    first, second = await start_waiting(turns, "a", "a")
    first.cancel()
    await asyncio.sleep(0)
    held[0].end()
    await second


async def test_a_turn_of_a_cancelled_handshake_goes_to_the_next(turns):
    held = await take_all(turns)
    first, second = await start_waiting(turns, "a", "a")
    held[0].end()  # granted to the first task, which has not run yet
    first.cancel()
    await second
    assert first.cancelled()
