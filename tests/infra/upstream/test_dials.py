"""Connections to several addresses of an institution: dead ones, busy ones, and probes."""

import asyncio
import gc
import weakref

import pytest
from pool_stand import LARGE, OK, Stand

from relay.domain.fault import Refusal
from relay.infra.upstream.dials import MOST_AT_ONCE


@pytest.fixture
def pair():
    """A pool of an institution with two addresses."""
    stand = Stand(concurrency=40, queue=0, instances=2)
    yield stand
    stand.close()


def kill(stand, index):
    """Lets no connection to an address end until it is released."""
    stand.dialer.dead[index] = asyncio.Event()
    return stand.dialer.dead[index]


async def turn(stand, times=5):
    for _ in range(times):
        await asyncio.sleep(0)
        stand.loop.turn()


async def test_another_address_is_tried_after_one_that_fails(pair):
    kill(pair, 1).set()
    request = await pair.send()
    await turn(pair)
    assert (pair.dialer.dialed, pair.connections[0].instance, request.attempts) == ([1, 0], 0, 1)


async def test_a_request_fails_when_all_addresses_do(pair):
    for index in range(2):
        kill(pair, index).set()
    await pair.send()
    await turn(pair)
    assert pair.events(0) == [("failed", "connect_timeout", "time_out")]


async def test_an_ejected_address_is_not_dialled(pair):
    kill(pair, 1).set()
    for _ in range(6):
        await pair.send()
        await turn(pair)
    assert pair.dialer.dialed == [1, 0, 0, 0, 0, 0, 0]
    assert pair.pool.state()["ejected"] == 1


async def test_waiting_dials_move_when_their_address_is_ejected(pair):
    dead = kill(pair, 1)
    for _ in range(8):
        await pair.send()
    assert len(pair.connections) == 4
    dead.set()
    await turn(pair)
    assert len(pair.connections) == 8


async def test_an_ejected_address_is_probed_and_used_again(pair, caplog):
    kill(pair, 1).set()
    await pair.send()
    await turn(pair)
    del pair.dialer.dead[1]
    pair.loop.now += 1
    pair.pool.close_expired(pair.loop.now)
    await turn(pair)
    assert (pair.pool.state()["ejected"], pair.dialer.dialed) == (0, [1, 0, 1])
    assert pair.counts == (1, 1, 0)  # the connection of the probe is kept
    assert "address of an institution unavailable: address=host:1 cause=time_out" in caplog.text
    assert "address of an institution available again: address=host:1" in caplog.text


async def test_a_dead_address_costs_one_probe_a_second(pair):
    kill(pair, 1).set()
    await pair.send()
    await turn(pair)
    for _ in range(50):
        pair.loop.now += 0.1
        pair.pool.close_expired(pair.loop.now)
        await turn(pair, 2)
    assert pair.dialer.dialed.count(1) == 1 + 5


async def test_few_connections_to_one_address_are_opened_at_once():
    stand = Stand(concurrency=40, queue=0)
    dead = kill(stand, 0)
    requests = [await stand.send() for _ in range(30)]
    assert len(stand.dialer.dialed) == MOST_AT_ONCE
    requests[0].cancel()
    await turn(stand)
    assert len(stand.dialer.dialed) == MOST_AT_ONCE + 1
    del stand.dialer.dead[0]
    dead.set()
    await turn(stand, 10)
    assert len(stand.dialer.dialed) == 30
    stand.close()


async def test_a_freed_connection_is_used_by_a_request_that_waits():
    stand = Stand(concurrency=40, queue=0)
    await stand.send()
    kill(stand, 0)
    for _ in range(MOST_AT_ONCE + 1):
        await stand.send(b"waits")
    stand.receive(0, OK % b"")
    assert stand.connections[0].transport.written == [b"question", b"waits"]
    stand.close()


async def test_an_idle_connection_is_used_before_a_dead_address(pair):
    await pair.send()
    await pair.send()
    pair.receive(0, OK % b"")
    kill(pair, 1).set()
    for _ in range(5):
        pair.connections[0].reusable = False
        await pair.send()
        await turn(pair)
    assert pair.dialer.dialed.count(1) == 2


async def test_an_address_is_not_ejected_for_a_fault_of_the_relay(pair):
    pair.dialer.error = "no_descriptors"
    await pair.send()
    await turn(pair)
    assert pair.events(0) == [("failed", "no_descriptors", "no_descriptors")]
    assert (pair.pool.state()["ejected"], pair.dialer.dialed) == (0, [1])


async def test_calls_without_a_response_eject_an_address(pair):
    for _ in range(10):
        await pair.send()
    pair.receive(0, OK % b"")
    pair.loop.now += 2
    pair.watch.tick(pair.loop.now)
    assert pair.pool.state()["ejected"] == 1


async def test_the_breaker_refuses_while_nothing_comes_back():
    stand = Stand(concurrency=40, queue=0)
    for _ in range(10):
        await stand.send()
    stand.loop.now += 2
    stand.watch.tick(stand.loop.now)
    with pytest.raises(Refusal) as refusal:
        await stand.send()
    assert (refusal.value.fault.name, refusal.value.retry_after) == ("breaker_open", 1.0)
    stand.loop.now += 1
    await stand.send()
    with pytest.raises(Refusal):
        await stand.send()
    stand.receive(10, OK % b"")
    await stand.send()
    assert stand.pool.state()["breaker_open"] == 0
    stand.close()


async def test_without_a_breaker_no_request_is_refused():
    stand = Stand(concurrency=40, queue=0)
    stand.pool.has_breaker = False
    for _ in range(20):
        await stand.send()
    stand.loop.now += 2
    stand.watch.tick(stand.loop.now)
    await stand.send()
    stand.close()


async def test_fewer_requests_run_at_once_while_responses_are_slow():
    stand = Stand(concurrency=16, queue=0, is_adaptive=True)
    for seconds in (*[0.02] * 80, *[0.3] * 40):
        for _ in range(4):
            await stand.send()
        stand.loop.now += seconds
        for index in range(4):
            stand.receive(index, OK % b"")
    assert stand.pool.state()["limit"] < 16
    stand.close()


async def test_a_replaced_pool_is_freed_without_a_collection():
    stand = Stand(instances=2)
    kill(stand, 1).set()
    await stand.send()
    await turn(stand)
    stand.receive(0, OK % b"")
    stand.loop.now += 1
    stand.pool.close_expired(stand.loop.now)  # begins a probe
    await turn(stand)
    stand.pool.retire()
    while stand.connections:
        stand.connections.pop().connection_lost(None)
    await turn(stand)
    stand.close()
    dialer = weakref.ref(stand.dialer)
    gc.collect()
    gc.disable()
    try:
        del stand
        assert dialer() is None
    finally:
        gc.enable()


async def test_callers_that_read_slowly_do_not_lower_the_limit():
    stand = Stand(concurrency=16, queue=0, is_adaptive=True)
    for seconds in (*[0.02] * 80, *[0.3] * 40):
        for _ in range(12):
            await stand.send()
        for index in range(12):
            stand.receive(index, LARGE + b" " * 5000)
        stand.loop.now += seconds
        for index in range(12):
            stand.receive(index, b" " * 95000)
    assert stand.pool.state()["limit"] == 16
    stand.close()


async def test_callers_that_read_slowly_do_not_open_the_breaker(pair):
    for index in range(20):
        await pair.send()
        pair.receive(index, LARGE + b" " * 5000)
    pair.loop.now += 5
    pair.watch.tick(pair.loop.now)
    pair.watch.tick(pair.loop.now)
    assert pair.events(0)[-1] == ("failed", "provider_silent", "total")
    assert (pair.pool.state()["breaker_open"], pair.pool.state()["ejected"]) == (0, 0)


async def test_a_busy_address_does_not_hold_up_another(pair):
    kill(pair, 1)
    for _ in range(40):
        await pair.send()
    await turn(pair)
    assert (pair.dialer.dialed.count(1), len(pair.connections)) == (MOST_AT_ONCE, 24)
