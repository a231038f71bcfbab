import asyncio

import pytest
from pool_stand import LARGE, OK, ResponseReceiver, Stand

from relay.domain.fault import Refusal


@pytest.fixture
def wide():
    stand = Stand(concurrency=4, queue=4)
    yield stand
    stand.close()


async def test_a_response_frees_its_connection_for_the_next_request(stand):
    for _ in range(3):
        request = await stand.send()
        stand.receive(0, OK % b"")
        assert request.attempts == 1
    assert [stand.events(index) for index in range(3)] == [[("response", 200, b"{}")]] * 3
    assert (len(stand.connections), stand.counts, stand.connections[0].uses) == (1, (1, 0, 0), 3)


async def test_the_connection_used_last_is_used_first(stand):
    await stand.send()
    await stand.send()
    stand.receive(0, OK % b"")
    stand.receive(1, OK % b"")
    await stand.send()
    assert (stand.connections[0].uses, stand.connections[1].uses) == (1, 2)


async def test_a_connection_idle_for_too_long_is_closed_and_not_used(stand):
    await stand.send()
    stand.receive(0, OK % b"")
    stand.loop.now += 4
    await stand.send()
    assert (stand.connections[0].transport.closed, len(stand.connections)) == ("closed", 2)


async def test_a_keep_alive_timeout_shortens_the_idle_time(stand):
    await stand.send()
    stand.receive(0, OK % b"Keep-Alive: timeout=2\r\n")
    stand.loop.now += 2
    stand.pool.close_expired(stand.loop.now)
    assert (stand.connections[0].transport.closed, stand.counts) == ("closed", (0, 0, 0))


async def test_sweep_keeps_connections_within_their_idle_time(stand):
    await stand.send()
    stand.receive(0, OK % b"")
    stand.loop.now += 3.9
    stand.pool.close_expired(stand.loop.now)
    assert stand.counts == (1, 0, 0)


async def test_an_old_connection_is_closed_after_its_response(stand):
    await stand.send()
    stand.loop.now += 301
    stand.receive(0, OK % b"")
    assert (stand.connections[0].transport.closed, stand.counts) == ("closed", (0, 0, 0))


async def test_a_request_on_a_closed_reused_connection_is_sent_once_more(stand):
    await stand.send()
    stand.receive(0, OK % b"")
    request = await stand.send(b"again")
    stand.disconnect(0)
    await asyncio.sleep(0)
    assert stand.connections[1].transport.written == [b"again"]
    assert (request.attempts, stand.events(1)) == (2, [])
    stand.disconnect(1)
    assert stand.events(1) == [("failed", "provider_reset", "closed")]
    assert (len(stand.connections), stand.counts) == (2, (0, 0, 0))


async def test_a_request_on_a_closed_new_connection_is_not_sent_again(stand):
    await stand.send()
    stand.disconnect(0)
    assert (stand.events(0), len(stand.connections)) == ([("failed", "provider_reset", "closed")], 1)


async def test_a_request_is_not_sent_again_after_one_byte(stand):
    await stand.send()
    stand.receive(0, OK % b"")
    await stand.send()
    stand.receive(0, b"H")
    stand.disconnect(0)
    assert (stand.events(1), len(stand.connections)) == ([("failed", "provider_reset", "cut")], 1)


async def test_a_malformed_response_closes_its_connection(stand):
    await stand.send()
    stand.receive(0, b"nonsense\r\n\r\n")
    assert (stand.events(0), stand.connections[0].transport.closed) == (
        [("failed", "provider_broken", "head_malformed")],
        "aborted",
    )
    assert stand.counts == (0, 0, 0)


async def test_a_failed_dial_counts_as_an_attempt(stand):
    stand.dialer.error = "tls_expired"
    request = await stand.send()
    stand.loop.turn()
    assert stand.events(0) == [("failed", "tls_expired", "tls_expired")]
    assert (request.attempts, stand.counts) == (1, (0, 0, 0))


async def test_requests_beyond_the_concurrency_wait_and_start_in_order(stand):
    for number in range(4):
        await stand.send(b"%d" % number)
    assert stand.counts == (0, 2, 2)
    stand.receive(1, OK % b"")
    stand.receive(0, OK % b"")
    assert stand.connections[1].transport.written == [b"1", b"2"]
    assert stand.connections[0].transport.written == [b"0", b"3"]


async def test_requests_beyond_the_queue_are_refused_at_once(stand):
    for _ in range(4):
        await stand.send()
    with pytest.raises(Refusal) as refusal:
        await stand.send()
    assert (refusal.value.fault.name, len(stand.watch)) == ("provider_busy", 4)


async def test_other_operators_overtake_an_operator_with_its_share(wide):
    for number in range(6):
        await wide.send(b"%d" % number, operator="one")
    assert wide.counts == (0, 3, 3)
    with pytest.raises(Refusal) as refusal:
        await wide.send(operator="one")
    assert (refusal.value.fault.name, refusal.value.retry_after) == ("operator_share", 1.0)
    await wide.send(b"two", operator="two")
    assert wide.connections[3].transport.written == [b"two"]
    with pytest.raises(Refusal):
        await wide.send(operator="one")
    await wide.send(b"two waits", operator="two")
    wide.receive(0, OK % b"")
    wide.loop.turn()
    assert wide.connections[0].transport.written == [b"0", b"two waits"]
    for index in range(1, 4):
        wide.receive(index, OK % b"")
    wide.loop.turn()
    assert wide.counts == (0, 4, 0)
    assert [connection.transport.written[-1] for connection in wide.connections[1:]] == [b"3", b"4", b"5"]


async def test_waiting_counts_in_the_time_of_the_institution(stand):
    for _ in range(3):
        await stand.send()
    stand.loop.now += 2
    stand.watch.tick(stand.loop.now)
    stand.loop.turn()
    silent = [("failed", "provider_silent", "first_byte")]
    assert [stand.events(index) for index in range(3)] == [silent, silent, [("failed", "queue_timeout", "")]]
    assert (stand.counts, len(stand.watch)) == ((0, 0, 0), 0)


async def test_a_begun_response_has_the_total_time(stand):
    await stand.send()
    stand.receive(0, LARGE)
    stand.loop.now += 4.9
    stand.watch.tick(stand.loop.now)
    assert all(event[0] != "failed" for event in stand.events(0))
    stand.loop.now += 0.1
    stand.watch.tick(stand.loop.now)
    assert stand.events(0)[-1] == ("failed", "provider_silent", "total")
    assert stand.connections[0].transport.closed == "aborted"


async def test_a_cancelled_request_closes_its_connection(stand):
    requests = [await stand.send() for _ in range(3)]
    requests[0].cancel()
    stand.loop.turn()
    await asyncio.sleep(0)
    assert (stand.connections[0].transport.closed, stand.counts, len(stand.connections)) == ("aborted", (0, 2, 0), 3)
    requests[0].cancel()
    assert (stand.events(0), stand.counts) == ([], (0, 2, 0))


async def test_a_request_cancelled_while_waiting_leaves_the_queue(stand):
    requests = [await stand.send() for _ in range(3)]
    requests[2].cancel()
    assert (stand.counts, len(stand.watch)) == ((0, 2, 0), 2)


async def test_a_request_cancelled_while_dialling_leaves_no_task(stand):
    request = stand.pool.send(b"question", ResponseReceiver())
    request.cancel()
    stand.loop.turn()
    await asyncio.sleep(0)
    assert (stand.connections, stand.counts, asyncio.all_tasks()) == ([], (0, 0, 0), {asyncio.current_task()})


async def test_a_slow_reader_pauses_only_its_connection(stand):
    slow, _ = await stand.send(), await stand.send()
    slow.pause()
    assert [connection.transport.reading for connection in stand.connections] == [False, True]
    slow.resume()
    assert stand.connections[0].transport.reading


async def test_without_asks_again_a_request_is_never_sent_twice(stand):
    stand.pool.may_retry = False
    await stand.send()
    stand.receive(0, OK % b"")
    request = await stand.send(b"once")
    stand.disconnect(0)
    await asyncio.sleep(0)
    assert stand.events(1) == [("failed", "provider_reset", "closed")]
    assert (request.attempts, len(stand.connections), stand.counts) == (1, 1, (0, 0, 0))


async def test_a_connection_paused_at_its_end_is_read_by_the_next_request(stand):
    request = await stand.send()
    stand.receive(0, LARGE + b"x" * 50_000)
    request.pause()  # what the kernel had read already may still come
    stand.receive(0, b"x" * 50_000)
    assert stand.events(0)[-1] == ("ended",)
    await stand.send()
    assert (stand.connections[0].uses, stand.connections[0].transport.reading) == (2, True)


async def test_pause_after_the_end_pauses_no_connection(stand):
    request = await stand.send()
    stand.receive(0, OK % b"")
    request.pause()
    assert stand.connections[0].transport.reading


async def test_a_retired_pool_completes_requests_and_keeps_no_connection(stand):
    await stand.send()
    await stand.send()
    stand.receive(0, OK % b"")
    stand.pool.retire()
    stand.receive(1, OK % b"")
    assert stand.events(1) == [("response", 200, b"{}")]
    assert [connection.transport.closed for connection in stand.connections] == ["closed"] * 2
    assert stand.counts == (0, 0, 0)


async def test_instances_take_turns_and_get_their_own_requests():
    stand = Stand(instances=2)
    for number in range(4):
        await stand.send()
        stand.receive(-1 if number < 2 else number % 2, OK % b"")
    stand.close()
    first, other = (connection.transport.written for connection in stand.connections)
    assert (first, other) == ([b"question to 1"] * 2, [b"question to 0"] * 2)


async def test_more_permits_start_requests_that_wait(wide):
    waits = []
    wide.pool.on_wait = lambda: waits.append(1)
    wide.pool.resize(0, 8)
    for _ in range(3):
        await wide.send()
    assert (wide.counts, len(waits)) == ((0, 0, 3), 3)
    wide.pool.resize(2, 6)
    await asyncio.sleep(0)
    assert wide.counts == (0, 2, 1)


async def test_fewer_permits_end_no_request(wide):
    for _ in range(3):
        await wide.send()
    wide.pool.resize(1, 7)
    await wide.send()
    assert wide.counts == (0, 3, 1)
    for index in range(2):
        wide.receive(index, OK % b"")
        await asyncio.sleep(0)
    assert wide.counts[1:] == (1, 1)
    wide.receive(2, OK % b"")
    await asyncio.sleep(0)
    assert wide.counts[1:] == (1, 0)
