"""Handshakes wait for each other in a fair order, and none waits for a silent peer."""

import asyncio

import pytest

from relay.wire.handshake_turns import AT_ONCE, LOAN_S, HandshakeTurns


class Loop:
    """The part of a loop that turns ask, with timers that a test fires."""

    def __init__(self):
        self.timers = []

    def create_future(self):
        return asyncio.get_running_loop().create_future()

    def call_later(self, delay, callback):
        self.timers.append(Timer(delay, callback))
        return self.timers[-1]


class Timer:
    def __init__(self, delay, callback):
        self.delay = delay
        self.callback = callback
        self.is_cancelled = False

    def cancel(self):
        self.is_cancelled = True


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def turns(loop):
    return HandshakeTurns(loop, lambda address: address.partition("/")[0])


async def fill(turns):
    return [await turns.take("flood") for _ in range(AT_ONCE)]


async def wait_for(turns, *addresses):
    """Tasks that wait for a turn each, in this order."""
    tasks = [asyncio.create_task(turns.take(address)) for address in addresses]
    await asyncio.sleep(0)
    return tasks


async def test_one_beyond_waits_for_a_turn_that_ends(turns):
    held = await fill(turns)
    (waiting,) = await wait_for(turns, "a")
    assert not waiting.done()
    held[0].end()
    await waiting


async def test_groups_are_taken_in_rotation(turns):
    held = await fill(turns)
    tasks = await wait_for(turns, "flood/1", "flood/2", "flood/3", "b")
    held[0].end()
    held[1].end()
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0)
    assert [task.done() for task in tasks] == [True, False, False, True]
    for task in tasks[1:3]:
        task.cancel()


async def test_a_turn_ends_by_itself_after_its_time(turns, loop):
    await fill(turns)
    (waiting,) = await wait_for(turns, "a")
    assert loop.timers[0].delay == LOAN_S
    loop.timers[0].callback()
    await waiting


async def test_a_turn_that_has_ended_ends_once(turns):
    held = await fill(turns)
    held[0].end()
    held[0].end()
    await turns.take("a")
    (waiting,) = await wait_for(turns, "b")
    assert not waiting.done()
    waiting.cancel()


async def test_an_ended_turn_leaves_no_timer(turns, loop):
    (await turns.take("a")).end()
    assert loop.timers[0].is_cancelled


async def test_a_waiter_that_is_cancelled_takes_no_turn(turns):
    held = await fill(turns)
    first, second = await wait_for(turns, "a", "a")
    first.cancel()
    await asyncio.sleep(0)
    held[0].end()
    await second


async def test_a_turn_granted_to_a_cancelled_waiter_goes_on(turns):
    held = await fill(turns)
    first, second = await wait_for(turns, "a", "a")
    held[0].end()  # granted to the first, which has not run since
    first.cancel()
    await second
    assert first.cancelled()
