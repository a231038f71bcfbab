"""Requests that wait for a permit of an institution."""

import contextlib

import pytest
from pool_stand import OK, Stand

from relay.domain.fault import Refusal
from relay.policy.quota.operator_shares import OperatorLimits


@pytest.fixture
def full():
    """A pool of one permit, which is taken, and a queue of four."""
    stand = Stand(concurrency=1, queue=4)
    yield stand
    stand.close()


async def answer(stand):
    stand.receive(0, OK % b"")
    stand.loop.turn()


def list_sent(stand):
    return stand.connections[0].transport.written


async def test_calls_on_demand_start_before_scheduled_transfers(full):
    await full.send(b"first")
    await full.send(b"scheduled", is_scheduled=True)
    await full.send(b"on demand")
    await answer(full)
    assert list_sent(full) == [b"first", b"on demand"]


async def test_a_call_on_demand_displaces_the_newest_scheduled_one(full):
    await full.send()
    for number in range(4):
        await full.send(b"%d" % number, is_scheduled=True)
    await full.send(b"on demand")
    assert full.events(4) == [("failed", "queue_timeout", "displaced")]
    with pytest.raises(Refusal) as refusal:
        await full.send(is_scheduled=True)
    assert refusal.value.fault.name == "provider_busy"


async def test_an_operator_with_its_share_displaces_nothing():
    stand = Stand(concurrency=1, queue=8)
    await stand.send()
    for number in range(2):
        await stand.send(b"%d" % number, operator="two", is_scheduled=True)
    for _ in range(20):
        with contextlib.suppress(Refusal):
            await stand.send(operator="one")
    assert [stand.events(index) for index in (1, 2)] == [[], []]
    stand.close()


async def test_a_request_waits_no_longer_than_its_time(full):
    await full.send()
    full.loop.now += 1
    await full.send()
    full.loop.now += 1.9
    full.watch.tick(full.loop.now)
    assert full.events(1) == []
    full.loop.now += 0.1
    full.watch.tick(full.loop.now)
    assert full.events(1) == [("failed", "queue_timeout", "")]


async def test_a_started_request_has_the_time_of_the_first_byte(full):
    await full.send()
    full.loop.now += 1
    await full.send(b"waits")
    await answer(full)
    full.loop.now += 1.9
    full.watch.tick(full.loop.now)
    assert full.events(1) == []
    full.loop.now += 0.1
    full.watch.tick(full.loop.now)
    assert full.events(1) == [("failed", "provider_silent", "first_byte")]


async def test_the_newest_starts_first_while_the_oldest_waits_long(full):
    await full.send(b"first")
    await full.send(b"old")
    full.loop.now += 1.1
    await full.send(b"new")
    await answer(full)
    assert list_sent(full) == [b"first", b"new"]


async def test_scheduled_transfers_leave_permits_to_calls_on_demand():
    stand = Stand(concurrency=8, queue=8)
    await stand.send(operator="one")
    for _ in range(8):
        await stand.send(operator="two", is_scheduled=True)
    assert stand.counts == (0, 5, 4)
    stand.loop.now += 20
    await stand.send(operator="two", is_scheduled=True)
    assert stand.counts == (0, 6, 4)
    stand.close()


async def test_an_operator_has_no_more_calls_than_its_part():
    stand = Stand(concurrency=8, queue=8, operators=OperatorLimits(5))
    for _ in range(5):
        await stand.send(operator="one")
    with pytest.raises(Refusal) as refusal:
        await stand.send(operator="one")
    assert (refusal.value.fault.name, stand.counts) == ("operator_share", (0, 5, 0))
    await stand.send(operator="two")
    stand.close()
