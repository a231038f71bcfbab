"""Connections and the calls they carry: an answer must never reach another call."""

import asyncio

import pytest
from pool_stand import OK, UNNAMED, UNNAMED_LARGE, ResponseReceiver, Stand


@pytest.fixture
def stand():
    stand = Stand()
    yield stand
    stand.close()


@pytest.fixture
def crowd():
    """One call at a time, others wait."""
    stand = Stand(concurrency=1)
    yield stand
    stand.close()


async def test_a_connection_is_free_only_in_the_next_turn(crowd):
    await crowd.send(b"one")
    await crowd.send(b"two")
    crowd.reads(0, OK % b"")
    assert crowd.events(0) == [("answered", 200, b"{}")]
    assert crowd.lines[0].transport.written == [b"one"]
    crowd.loop.turn()
    assert crowd.lines[0].transport.written == [b"one", b"two"]


async def test_what_is_read_in_the_turn_of_the_answer_costs_the_connection(crowd):
    await crowd.send(b"one")
    await crowd.send(b"two")
    crowd.reads(0, OK % b"")
    crowd.says(0, OK % b"")
    await asyncio.sleep(0)
    assert (crowd.lines[0].transport.closed, crowd.lines[0].transport.written) == ("aborted", [b"one"])
    assert (crowd.lines[1].transport.written, crowd.events(1)) == ([b"two"], [])


async def test_unread_bytes_on_an_idle_connection_cost_it(stand):
    await stand.send()
    stand.says(0, OK % b"")
    stand.lines[0].transport.peer.send(b"H")
    await stand.send(b"other")
    assert (stand.lines[0].transport.closed, stand.lines[1].transport.written) == ("closed", [b"other"])


async def test_an_unread_end_of_an_idle_connection_costs_it(stand):
    await stand.send()
    stand.says(0, OK % b"")
    stand.lines[0].transport.peer.close()
    flight = await stand.send(b"other")
    assert (stand.lines[1].transport.written, flight.attempts) == ([b"other"], 1)


@pytest.mark.parametrize("answer", [UNNAMED, UNNAMED_LARGE + b"x" * 100_000])
async def test_after_an_unnamed_answer_each_call_has_its_own_connection(stand, answer):
    for number in range(3):
        await stand.send()
        for at in range(0, len(answer), 90_000):
            stand.says(number, answer[at : at + 90_000])
        assert stand.events(number)[-1][0] in {"answered", "ended"}
    assert [line.uses for line in stand.lines] == [1, 1, 1]
    assert ([line.transport.closed for line in stand.lines], stand.counts) == (["closed"] * 3, (0, 0, 0))


async def test_an_unnamed_answer_closes_the_connections_that_are_idle(stand):
    await stand.send()
    await stand.send()
    stand.says(0, OK % b"")
    stand.says(1, UNNAMED)
    assert ([line.transport.closed for line in stand.lines], stand.counts) == (["closed"] * 2, (0, 0, 0))


async def test_the_authority_need_not_name_calls(stand):
    stand.pool.needs_names = False
    for _ in range(2):
        await stand.send()
        stand.says(0, UNNAMED)
    assert (len(stand.lines), stand.counts) == (1, (1, 0, 0))


async def test_an_answer_that_is_not_taken_costs_its_connection_and_no_call(crowd):
    await crowd.send(b"one", takes=False)
    await crowd.send(b"two")
    crowd.says(0, OK % b"")
    await asyncio.sleep(0)
    assert (crowd.lines[0].transport.closed, crowd.lines[1].transport.written) == ("aborted", [b"two"])
    crowd.says(1, OK % b"")
    assert crowd.events(1) == [("answered", 200, b"{}")]


async def test_a_slot_that_is_about_to_be_free_can_be_waited_for():
    stand = Stand(concurrency=1, queue=0)
    await stand.send()
    stand.reads(0, OK % b"")
    stand.pool.send(lambda _: b"next", ResponseReceiver())
    stand.loop.turn()
    stand.close()
    assert stand.lines[0].transport.written == [b"question", b"next"]


async def test_the_cause_of_a_lost_connection_is_kept(stand):
    await stand.send()
    stand.says(0, b"HTTP/1.1 200 OK\r\n")
    stand.hangs_up(0, ConnectionResetError())
    assert stand.events(0) == [("failed", "provider_reset", "cut_reset")]
