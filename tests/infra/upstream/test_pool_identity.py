"""A response must never reach another call."""

import asyncio

import pytest
from pool_stand import OK, UNNAMED, UNNAMED_LARGE, ResponseReceiver, Stand


@pytest.fixture
def single():
    """A pool with one permit."""
    stand = Stand(concurrency=1)
    yield stand
    stand.close()


async def test_a_connection_is_free_in_the_next_turn(single):
    await single.send(b"one")
    await single.send(b"two")
    single.receive_only(0, OK % b"")
    assert single.events(0) == [("response", 200, b"{}")]
    assert single.connections[0].transport.written == [b"one"]
    single.loop.turn()
    assert single.connections[0].transport.written == [b"one", b"two"]


async def test_surplus_bytes_behind_a_response_close_the_connection(single):
    await single.send(b"one")
    await single.send(b"two")
    single.receive_only(0, OK % b"")
    single.receive(0, OK % b"")
    await asyncio.sleep(0)
    assert (single.connections[0].transport.closed, single.connections[0].transport.written) == ("aborted", [b"one"])
    assert (single.connections[1].transport.written, single.events(1)) == ([b"two"], [])


async def test_an_idle_connection_with_unread_bytes_is_closed(stand):
    await stand.send()
    stand.receive(0, OK % b"")
    stand.connections[0].transport.peer.send(b"H")
    stand.rest()
    await stand.send(b"other")
    assert (stand.connections[0].transport.closed, stand.connections[1].transport.written) == ("closed", [b"other"])


async def test_an_idle_connection_with_an_unread_end_is_closed(stand):
    await stand.send()
    stand.receive(0, OK % b"")
    stand.connections[0].transport.peer.close()
    stand.rest()
    request = await stand.send(b"other")
    assert (stand.connections[1].transport.written, request.attempts) == ([b"other"], 1)


async def test_a_connection_just_used_is_not_checked_for_bytes(stand):
    await stand.send()
    stand.receive(0, OK % b"")
    stand.connections[0].transport.peer.close()
    request = await stand.send(b"other")
    assert (len(stand.connections), request.attempts) == (1, 1)
    stand.connections[0].connection_lost(None)
    await asyncio.sleep(0)
    assert (stand.connections[1].transport.written, request.attempts) == ([b"other"], 2)


async def test_without_retries_every_connection_is_checked(stand):
    stand.pool.may_retry = False
    await stand.send()
    stand.receive(0, OK % b"")
    stand.connections[0].transport.peer.close()
    request = await stand.send(b"other")
    assert (stand.connections[1].transport.written, request.attempts) == ([b"other"], 1)


@pytest.mark.parametrize("response", [UNNAMED, UNNAMED_LARGE + b"x" * 100_000])
async def test_no_connection_is_reused_after_a_response_without_tran_id(stand, response):
    for number in range(3):
        await stand.send()
        for at in range(0, len(response), 90_000):
            stand.receive(number, response[at : at + 90_000])
        assert stand.events(number)[-1][0] in {"response", "ended"}
    assert [connection.uses for connection in stand.connections] == [1, 1, 1]
    assert [connection.transport.closed for connection in stand.connections] == ["closed"] * 3
    assert stand.counts == (0, 0, 0)


async def test_a_response_without_tran_id_closes_idle_connections(stand):
    await stand.send()
    await stand.send()
    stand.receive(0, OK % b"")
    stand.receive(1, UNNAMED)
    assert [connection.transport.closed for connection in stand.connections] == ["closed"] * 2
    assert stand.counts == (0, 0, 0)


async def test_the_authority_need_not_send_tran_ids(stand):
    stand.pool.requires_tran_id = False
    for _ in range(2):
        await stand.send()
        stand.receive(0, UNNAMED)
    assert (len(stand.connections), stand.counts) == (1, (1, 0, 0))


async def test_a_refused_response_closes_its_connection(single):
    await single.send(b"one", accepts=False)
    await single.send(b"two")
    single.receive(0, OK % b"")
    await asyncio.sleep(0)
    assert (single.connections[0].transport.closed, single.connections[1].transport.written) == ("aborted", [b"two"])
    single.receive(1, OK % b"")
    assert single.events(1) == [("response", 200, b"{}")]


async def test_a_request_may_wait_for_a_permit_of_an_ending_one():
    stand = Stand(concurrency=1, queue=0)
    await stand.send()
    stand.receive_only(0, OK % b"")
    stand.pool.send(lambda _: b"next", ResponseReceiver())
    stand.loop.turn()
    stand.close()
    assert stand.connections[0].transport.written == [b"question", b"next"]


async def test_the_cause_of_a_lost_connection_is_reported(stand):
    await stand.send()
    stand.receive(0, b"HTTP/1.1 200 OK\r\n")
    stand.disconnect(0, ConnectionResetError())
    assert stand.events(0) == [("failed", "provider_reset", "cut_reset")]
