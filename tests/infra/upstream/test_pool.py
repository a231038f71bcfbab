"""Pools and flights over lines that are no sockets, at a time that is told."""

import asyncio

import pytest
from pool_stand import LARGE, OK, ResponseReceiver, Stand

from relay.domain.fault import Refusal


@pytest.fixture
def stand():
    stand = Stand()
    yield stand
    stand.close()


@pytest.fixture
def wide():
    stand = Stand(concurrency=4, queue=4)
    yield stand
    stand.close()


async def test_an_answer_frees_its_line_for_the_next_call(stand):
    for _ in range(3):
        flight = await stand.send()
        stand.says(0, OK % b"")
        assert flight.attempts == 1
    assert [stand.events(index) for index in range(3)] == [[("answered", 200, b"{}")]] * 3
    assert (len(stand.lines), stand.counts, stand.lines[0].uses) == (1, (1, 0, 0), 3)


async def test_the_line_used_last_is_used_first(stand):
    await stand.send()
    await stand.send()
    stand.says(0, OK % b"")
    stand.says(1, OK % b"")
    await stand.send()
    assert (stand.lines[0].uses, stand.lines[1].uses) == (1, 2)


async def test_a_line_idle_for_too_long_is_closed_and_not_used(stand):
    await stand.send()
    stand.says(0, OK % b"")
    stand.loop.now += 4
    await stand.send()
    assert (stand.lines[0].transport.closed, len(stand.lines)) == ("closed", 2)


async def test_an_institution_may_announce_less(stand):
    await stand.send()
    stand.says(0, OK % b"Keep-Alive: timeout=2\r\n")
    stand.loop.now += 2
    stand.pool.sweep(stand.loop.now)
    assert (stand.lines[0].transport.closed, stand.counts) == ("closed", (0, 0, 0))


async def test_sweeping_leaves_what_is_young(stand):
    await stand.send()
    stand.says(0, OK % b"")
    stand.loop.now += 3.9
    stand.pool.sweep(stand.loop.now)
    assert stand.counts == (1, 0, 0)


async def test_an_old_line_is_not_kept_so_that_a_move_is_followed(stand):
    await stand.send()
    stand.loop.now += 301
    stand.says(0, OK % b"")
    assert (stand.lines[0].transport.closed, stand.counts) == ("closed", (0, 0, 0))


async def test_a_used_line_that_closes_without_a_byte_is_replaced_once(stand):
    await stand.send()
    stand.says(0, OK % b"")
    flight = await stand.send(b"again")
    stand.hangs_up(0)
    await asyncio.sleep(0)
    assert stand.lines[1].transport.written == [b"again"]
    assert (flight.attempts, stand.events(1)) == (2, [])
    stand.hangs_up(1)
    assert stand.events(1) == [("failed", "provider_reset", "closed")]
    assert (len(stand.lines), stand.counts) == (2, (0, 0, 0))


async def test_a_fresh_line_that_closes_is_not_replaced(stand):
    await stand.send()
    stand.hangs_up(0)
    assert (stand.events(0), len(stand.lines)) == ([("failed", "provider_reset", "closed")], 1)


async def test_a_used_line_that_said_one_byte_is_not_replaced(stand):
    await stand.send()
    stand.says(0, OK % b"")
    await stand.send()
    stand.says(0, b"H")
    stand.hangs_up(0)
    assert (stand.events(1), len(stand.lines)) == ([("failed", "provider_reset", "cut")], 1)


async def test_an_answer_that_is_none_costs_its_line(stand):
    await stand.send()
    stand.says(0, b"nonsense\r\n\r\n")
    assert (stand.events(0), stand.lines[0].transport.closed) == (
        [("failed", "provider_broken", "head_malformed")],
        "aborted",
    )
    assert stand.counts == (0, 0, 0)


async def test_nobody_at_home_is_refused_and_counted_as_an_attempt(stand):
    stand.dialer.refusing = "refused tls_expired"
    flight = await stand.send()
    stand.loop.turn()
    assert stand.events(0) == [("failed", "provider_refused", "refused tls_expired")]
    assert (flight.attempts, stand.counts) == (1, (0, 0, 0))


async def test_calls_beyond_the_concurrency_wait_and_go_in_order(stand):
    for number in range(4):
        await stand.send(b"%d" % number)
    assert stand.counts == (0, 2, 2)
    stand.says(1, OK % b"")
    stand.says(0, OK % b"")
    assert stand.lines[1].transport.written == [b"1", b"2"]
    assert stand.lines[0].transport.written == [b"0", b"3"]


async def test_calls_beyond_the_queue_are_refused_at_once(stand):
    for _ in range(4):
        await stand.send()
    with pytest.raises(Refusal) as refused:
        await stand.send()
    assert (refused.value.fault.name, len(stand.watch)) == ("provider_busy", 4)


async def test_calls_of_others_go_past_those_of_an_operator_with_its_share(wide):
    for number in range(6):
        await wide.send(b"%d" % number, operator="one")
    assert wide.counts == (0, 3, 3)
    with pytest.raises(Refusal) as refused:
        await wide.send(operator="one")
    assert (refused.value.fault.name, refused.value.retry_after) == ("operator_share", 1.0)
    await wide.send(b"two", operator="two")
    assert wide.lines[3].transport.written == [b"two"]
    with pytest.raises(Refusal):
        await wide.send(operator="one")
    await wide.send(b"two waits", operator="two")
    wide.says(0, OK % b"")
    wide.loop.turn()
    assert wide.lines[0].transport.written == [b"0", b"two waits"]
    for index in range(1, 4):
        wide.says(index, OK % b"")
    wide.loop.turn()
    assert wide.counts == (0, 4, 0)
    assert [line.transport.written[-1] for line in wide.lines[1:]] == [b"3", b"4", b"5"]


async def test_waiting_counts_as_the_institutions_time(stand):
    for _ in range(3):
        await stand.send()
    stand.loop.now += 2
    stand.watch.tick(stand.loop.now)
    stand.loop.turn()
    missed = [stand.events(index) for index in range(3)]
    assert missed == [[("failed", "provider_silent", part)] for part in ("first_byte", "first_byte", "queue")]
    assert (stand.counts, len(stand.watch)) == ((0, 0, 0), 0)


async def test_who_began_to_answer_has_until_the_total(stand):
    await stand.send()
    stand.says(0, LARGE)
    stand.loop.now += 4.9
    stand.watch.tick(stand.loop.now)
    assert all(event[0] != "failed" for event in stand.events(0))
    stand.loop.now += 0.1
    stand.watch.tick(stand.loop.now)
    assert stand.events(0)[-1] == ("failed", "provider_silent", "total")
    assert stand.lines[0].transport.closed == "aborted"


async def test_who_is_cancelled_in_flight_frees_the_line_and_the_next(stand):
    flights = [await stand.send() for _ in range(3)]
    flights[0].cancel()
    stand.loop.turn()
    await asyncio.sleep(0)
    assert (stand.lines[0].transport.closed, stand.counts, len(stand.lines)) == ("aborted", (0, 2, 0), 3)
    flights[0].cancel()
    assert (stand.events(0), stand.counts) == ([], (0, 2, 0))


async def test_who_is_cancelled_while_waiting_leaves_the_queue(stand):
    flights = [await stand.send() for _ in range(3)]
    flights[2].cancel()
    assert (stand.counts, len(stand.watch)) == ((0, 2, 0), 2)


async def test_who_is_cancelled_while_dialling_leaves_no_task(stand):
    flight = stand.pool.send(b"question", ResponseReceiver())
    dial = flight.dial_task
    flight.cancel()
    stand.loop.turn()
    await asyncio.gather(dial, return_exceptions=True)
    assert (dial.cancelled(), stand.lines, stand.counts) == (True, [], (0, 0, 0))


async def test_a_slow_reader_pauses_its_line_and_no_other(stand):
    slow, _ = await stand.send(), await stand.send()
    slow.pause()
    assert [line.transport.reading for line in stand.lines] == [False, True]
    slow.resume()
    assert stand.lines[0].transport.reading


async def test_what_changes_something_is_never_sent_twice(stand):
    stand.pool.asks_again = False
    await stand.send()
    stand.says(0, OK % b"")
    flight = await stand.send(b"once")
    stand.hangs_up(0)
    await asyncio.sleep(0)
    assert stand.events(1) == [("failed", "provider_reset", "closed")]
    assert (flight.attempts, len(stand.lines), stand.counts) == (1, 1, (0, 0, 0))


async def test_a_line_paused_to_the_last_byte_is_read_again_by_the_next_call(stand):
    flight = await stand.send()
    stand.says(0, LARGE + b"x" * 50_000)
    flight.pause()  # what the kernel had read already may still come
    stand.says(0, b"x" * 50_000)
    assert stand.events(0)[-1] == ("ended",)
    await stand.send()
    assert (stand.lines[0].uses, stand.lines[0].transport.reading) == (2, True)


async def test_pausing_after_the_end_touches_no_line(stand):
    flight = await stand.send()
    stand.says(0, OK % b"")
    flight.pause()
    assert stand.lines[0].transport.reading


async def test_a_retired_pool_ends_its_flights_and_keeps_no_line(stand):
    await stand.send()
    await stand.send()
    stand.says(0, OK % b"")
    stand.pool.retire()
    stand.says(1, OK % b"")
    assert stand.events(1) == [("answered", 200, b"{}")]
    assert ([line.transport.closed for line in stand.lines], stand.counts) == (["closed"] * 2, (0, 0, 0))


async def test_places_take_turns_and_each_is_asked_in_its_own_words():
    stand = Stand(places=2)
    for number in range(4):
        await stand.send()
        stand.says(-1 if number < 2 else number % 2, OK % b"")
    stand.close()
    first, other = (line.transport.written for line in stand.lines)
    assert (first, other) == ([b"question to 1"] * 2, [b"question to 0"] * 2)
