"""How much of one server's answer is handled in one turn of the event loop, and what of it is taken at all."""

import asyncio
import itertools

import pytest
from stand_ins import Transport

from relay.wire.asker import ResponseFailure
from relay.wire.chunked import CHUNK_OVERHEAD
from relay.wire.client import INTERIM_MOST, READ_BYTES, TURN_CHUNKS, ClientConnection

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n"


class ResponseHandler:
    def __init__(self):
        self.status, self.body, self.parts, self.end = 0, b"", 0, None

    def first_byte_received(self):
        pass

    def response_received(self, status, headers, body):
        self.status, self.body, self.end = status, body, "whole"

    def head_received(self, head, body):
        self.status = head.status
        self.body_received(body)

    def body_received(self, body):
        self.body += body
        self.parts += 1

    def response_ended(self):
        self.end = "ended"

    def request_failed(self, how):
        self.end = how


class Line:
    """A connection that has sent one request."""

    def __init__(self):
        self.transport, self.asker = Transport(), ResponseHandler()
        self.connection = ClientConnection(lambda _: None)
        self.connection.connection_made(self.transport)
        self.connection.send(b"GET / HTTP/1.1\r\n\r\n", self.asker)

    def deliver(self, data):
        """Deliver bytes as one read of the transport."""
        self.connection.get_buffer(-1)[: len(data)] = data
        self.connection.buffer_updated(len(data))
        return self

    async def turns(self):
        """The bytes of the body after each turn, until reading goes on."""
        sizes = [len(self.asker.body)]
        while not (self.transport.reading or self.asker.end):
            await asyncio.sleep(0)
            sizes.append(len(self.asker.body))
        return sizes


def chunks(size, count):
    return (b"%x\r\n%b\r\n" % (size, b"x" * size)) * count


@pytest.mark.parametrize(("count", "end"), [(INTERIM_MOST, "whole"), (INTERIM_MOST + 1, ResponseFailure.MALFORMED)])
@pytest.mark.parametrize("together", [True, False])
def test_ten_interim_answers_are_taken_and_one_more_is_none(count, end, together):
    line = Line()
    pieces = [INTERIM * count + WHOLE] if together else [*itertools.repeat(INTERIM, count), WHOLE]
    for piece in pieces:
        if not line.asker.end:
            line.deliver(piece)
    assert line.asker.end == end


def test_interim_answers_are_counted_anew_for_each_request():
    line = Line()
    for _ in range(3):
        line.deliver(INTERIM * INTERIM_MOST + WHOLE)
        assert line.asker.end == "whole"
        line.asker = ResponseHandler()
        line.connection.send(b"GET / HTTP/1.1\r\n\r\n", line.asker)


async def test_chunks_of_one_byte_without_end_are_no_answer():
    line = Line().deliver(CHUNKED)
    for _ in range(100):
        await line.turns()
        if line.asker.end:
            break
        line.deliver(chunks(1, 1000))
    assert (line.asker.end, line.transport.events) == (ResponseFailure.MALFORMED, ["abort"])
    assert len(line.asker.body) < CHUNK_OVERHEAD


async def test_small_chunks_of_a_common_server_are_taken():
    line = Line().deliver(CHUNKED)
    for _ in range(200):
        await line.turns()
        line.deliver(chunks(12, 100))
    await line.turns()
    line.deliver(b"0\r\n\r\n")
    assert (line.asker.end, len(line.asker.body)) == ("ended", 200 * 1200)


async def test_many_chunks_of_one_read_are_taken_in_several_turns():
    line = Line().deliver(CHUNKED + chunks(80 * 1024, 1))
    line.deliver(chunks(20, TURN_CHUNKS * 3))
    steps = [later - earlier for earlier, later in itertools.pairwise(await line.turns())]
    assert (max(steps), sum(steps) + 20 * TURN_CHUNKS) == (20 * TURN_CHUNKS, 20 * TURN_CHUNKS * 3)
    assert line.transport.reading


async def test_a_full_buffer_ends_the_turn_of_its_connection():
    line = Line().deliver(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
    assert line.deliver(b"x" * (READ_BYTES - 1)).transport.reading
    assert not line.deliver(b"x" * READ_BYTES).transport.reading
    await asyncio.sleep(0)
    assert line.transport.reading


async def test_a_turn_does_not_read_on_for_a_slow_reader():
    line = Line().deliver(CHUNKED + chunks(80 * 1024, 1))
    line.deliver(chunks(20, TURN_CHUNKS * 2))
    line.connection.pause()
    taken = len(line.asker.body)
    await asyncio.sleep(0)
    assert (len(line.asker.body), line.transport.reading) == (taken, False)
    line.connection.resume()
    await line.turns()
    assert (len(line.asker.body) - taken, line.transport.reading) == (20 * TURN_CHUNKS, True)


@pytest.mark.parametrize("ends", ["eof_received", "connection_lost"])
async def test_an_answer_that_waits_for_its_turn_survives_its_connection(ends):
    line = Line().deliver(CHUNKED + chunks(80 * 1024, 1))
    line.deliver(chunks(20, TURN_CHUNKS * 3) + b"0\r\n\r\n")
    assert not line.asker.end
    getattr(line.connection, ends)(*([None] if ends == "connection_lost" else []))
    assert (line.asker.end, len(line.asker.body)) == ("ended", 80 * 1024 + 20 * TURN_CHUNKS * 3)


async def test_bytes_that_come_in_spite_of_the_pause_wait_too():
    line = Line().deliver(CHUNKED + chunks(80 * 1024, 1))
    line.deliver(b"a\r\n0123456789\r\n" * (TURN_CHUNKS + 1))
    line.deliver(b"3\r\nend\r\n")
    await line.turns()
    assert line.asker.body.endswith(b"0123456789" * (TURN_CHUNKS + 1) + b"end")


async def test_reading_goes_on_behind_an_answer_that_fills_the_buffer():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: "
    size = READ_BYTES - len(head) - len(b"12345\r\n\r\n")
    line = Line().deliver(b"%b%d\r\n\r\n%b" % (head, size, b"x" * size))
    assert (line.asker.end, line.transport.reading) == ("whole", True)
    line.deliver(WHOLE)
    assert (line.connection.reusable, line.transport.events) == (False, ["abort"])
