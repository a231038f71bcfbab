"""Pools and flights over lines that are no sockets, at a time that is told."""

import asyncio

import pytest

from relay.domain.fault import Refusal
from relay.infra.upstream import Pool
from relay.policy.scalars import ProviderTimeouts
from relay.wire.client import ClientConnection
from relay.wire.watch import Watch

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%b\r\n{}"
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


class Line:
    """A transport that keeps what is written and tells what became of it."""

    def __init__(self):
        self.written, self.reading, self.closed = [], True, ""

    def write(self, data):
        self.written.append(data)

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def is_closing(self):
        return bool(self.closed)

    def close(self):
        self.closed = self.closed or "closed"

    def abort(self):
        self.closed = "aborted"


class Loop:
    """A clock that stands still until it is moved, and tasks of the real loop."""

    def __init__(self):
        self.now = 1000.0

    def time(self):
        return self.now

    def create_task(self, work):
        return asyncio.get_running_loop().create_task(work)


class Dialled:
    """A dialer whose lines are not connected to anything."""

    timeouts = ProviderTimeouts(connect_s=1, first_byte_s=2, total_s=5, idle_s=4)

    def __init__(self, loop, places=1):
        self.loop, self.lines, self.refusing, self.places = loop, [], False, places

    def idle_limit(self, connection):
        return float(connection.keep_alive.partition(b"=")[2])

    async def dial(self, on_lost, first):
        if self.refusing:
            return None
        connection = ClientConnection(on_lost)
        connection.connection_made(Line())
        connection.born, connection.place = self.loop.now, first
        self.lines.append(connection)
        return connection


class Receiver:
    def __init__(self):
        self.events = []

    def answered(self, status, headers, body):
        self.events.append(("answered", status, body))
        return True

    def begun(self, status, headers, length, body):
        self.events.append(("begun", status, length))

    def more(self, body):
        self.events.append(("more", len(body)))

    def ended(self):
        self.events.append(("ended",))

    def failed(self, fault):
        self.events.append(("failed", fault.name))


class Stand:
    """A pool with everything around it."""

    def __init__(self, concurrency=2, queue=2, places=1):
        self.loop, self.watch = Loop(), Watch()
        self.dialer = Dialled(self.loop, places)
        self.pool = Pool(self.dialer, concurrency, queue, self.watch, self.loop)
        self.receivers = []

    async def send(self, data=b"question"):
        receiver = Receiver()
        self.receivers.append(receiver)
        flight = self.pool.send(lambda place: data + b" to %d" % place if self.dialer.places > 1 else data, receiver)
        await asyncio.sleep(0)
        return flight

    @property
    def lines(self):
        return self.dialer.lines

    @property
    def counts(self):
        return tuple(self.pool.counts().values())

    def says(self, index, data):
        """The institution writes to a line."""
        buffer = self.lines[index].get_buffer(-1)
        buffer[: len(data)] = data
        self.lines[index].buffer_updated(len(data))

    def hangs_up(self, index):
        self.lines[index].connection_lost(None)

    def events(self, index):
        return self.receivers[index].events


@pytest.fixture
def stand():
    return Stand()


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
    assert stand.events(1) == [("failed", "provider_reset")]
    assert (len(stand.lines), stand.counts) == (2, (0, 0, 0))


async def test_a_fresh_line_that_closes_is_not_replaced(stand):
    await stand.send()
    stand.hangs_up(0)
    assert (stand.events(0), len(stand.lines)) == ([("failed", "provider_reset")], 1)


async def test_a_used_line_that_said_one_byte_is_not_replaced(stand):
    await stand.send()
    stand.says(0, OK % b"")
    await stand.send()
    stand.says(0, b"H")
    stand.hangs_up(0)
    assert (stand.events(1), len(stand.lines)) == ([("failed", "provider_reset")], 1)


async def test_an_answer_that_is_none_costs_its_line(stand):
    await stand.send()
    stand.says(0, b"nonsense\r\n\r\n")
    assert (stand.events(0), stand.lines[0].transport.closed) == ([("failed", "provider_broken")], "aborted")
    assert stand.counts == (0, 0, 0)


async def test_nobody_at_home_is_refused_and_counted_as_an_attempt(stand):
    stand.dialer.refusing = True
    flight = await stand.send()
    assert (stand.events(0), flight.attempts, stand.counts) == ([("failed", "provider_refused")], 1, (0, 0, 0))


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


async def test_waiting_counts_as_the_institutions_time(stand):
    for _ in range(3):
        await stand.send()
    stand.loop.now += 2
    stand.watch.tick(stand.loop.now)
    assert [stand.events(index) for index in range(3)] == [[("failed", "provider_silent")]] * 3
    assert (stand.counts, len(stand.watch)) == ((0, 0, 0), 0)


async def test_who_began_to_answer_has_until_the_total(stand):
    await stand.send()
    stand.says(0, LARGE)
    stand.loop.now += 4.9
    stand.watch.tick(stand.loop.now)
    assert all(event[0] != "failed" for event in stand.events(0))
    stand.loop.now += 0.1
    stand.watch.tick(stand.loop.now)
    assert stand.events(0)[-1] == ("failed", "provider_silent")
    assert stand.lines[0].transport.closed == "aborted"


async def test_who_is_cancelled_in_flight_frees_the_line_and_the_next(stand):
    flights = [await stand.send() for _ in range(3)]
    flights[0].cancel()
    await asyncio.sleep(0)
    assert (stand.lines[0].transport.closed, stand.counts, len(stand.lines)) == ("aborted", (0, 2, 0), 3)
    flights[0].cancel()
    assert (stand.events(0), stand.counts) == ([], (0, 2, 0))


async def test_who_is_cancelled_while_waiting_leaves_the_queue(stand):
    flights = [await stand.send() for _ in range(3)]
    flights[2].cancel()
    assert (stand.counts, len(stand.watch)) == ((0, 2, 0), 2)


async def test_who_is_cancelled_while_dialling_leaves_no_task(stand):
    flight = stand.pool.send(b"question", Receiver())
    dial = flight.dial
    flight.cancel()
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
    assert stand.events(1) == [("failed", "provider_reset")]
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
    first, other = (line.transport.written for line in stand.lines)
    assert (first, other) == ([b"question to 1"] * 2, [b"question to 0"] * 2)
