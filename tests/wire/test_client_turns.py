import asyncio
import itertools

import pytest
from stand_ins import Transport

from relay.wire.chunked import CHUNK_OVERHEAD
from relay.wire.client import MAX_INTERIM_RESPONSES, READ_BYTES, TURN_CHUNKS, ClientConnection
from relay.wire.response_handler import ResponseFailure

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

    def request_failed(self, failure):
        self.end = failure


class Setup:
    """A connection that has sent one request."""

    def __init__(self):
        self.transport, self.handler = Transport(), ResponseHandler()
        self.connection = ClientConnection(lambda _: None)
        self.connection.connection_made(self.transport)
        self.connection.send(b"GET / HTTP/1.1\r\n\r\n", self.handler)

    def deliver(self, data):
        """Deliver bytes as one read of the transport."""
        self.connection.get_buffer(-1)[: len(data)] = data
        self.connection.buffer_updated(len(data))
        return self

    async def run_turns(self):
        """Run turns until reading continues. Returns the body's size after each."""
        sizes = [len(self.handler.body)]
        while not (self.transport.reading or self.handler.end):
            await asyncio.sleep(0)
            sizes.append(len(self.handler.body))
        return sizes


def chunks(size, count):
    return (b"%x\r\n%b\r\n" % (size, b"x" * size)) * count


@pytest.mark.parametrize(
    ("count", "end"), [(MAX_INTERIM_RESPONSES, "whole"), (MAX_INTERIM_RESPONSES + 1, ResponseFailure.MALFORMED)]
)
@pytest.mark.parametrize("together", [True, False])
def test_ten_interim_responses_are_accepted_and_no_more(count, end, together):
    setup = Setup()
    pieces = [INTERIM * count + WHOLE] if together else [*itertools.repeat(INTERIM, count), WHOLE]
    for piece in pieces:
        if not setup.handler.end:
            setup.deliver(piece)
    assert setup.handler.end == end


def test_interim_responses_are_counted_for_each_request():
    setup = Setup()
    for _ in range(3):
        setup.deliver(INTERIM * MAX_INTERIM_RESPONSES + WHOLE)
        assert setup.handler.end == "whole"
        setup.handler = ResponseHandler()
        setup.connection.send(b"GET / HTTP/1.1\r\n\r\n", setup.handler)


async def test_endless_chunks_of_one_byte_are_malformed():
    setup = Setup().deliver(CHUNKED)
    for _ in range(100):
        await setup.run_turns()
        if setup.handler.end:
            break
        setup.deliver(chunks(1, 1000))
    assert (setup.handler.end, setup.transport.events) == (ResponseFailure.MALFORMED, ["abort"])
    assert len(setup.handler.body) < CHUNK_OVERHEAD


async def test_small_chunks_of_a_common_server_are_accepted():
    setup = Setup().deliver(CHUNKED)
    for _ in range(200):
        await setup.run_turns()
        setup.deliver(chunks(12, 100))
    await setup.run_turns()
    setup.deliver(b"0\r\n\r\n")
    assert (setup.handler.end, len(setup.handler.body)) == ("ended", 200 * 1200)


async def test_many_chunks_of_one_read_are_parsed_in_several_turns():
    setup = Setup().deliver(CHUNKED + chunks(80 * 1024, 1))
    setup.deliver(chunks(20, TURN_CHUNKS * 3))
    steps = [later - earlier for earlier, later in itertools.pairwise(await setup.run_turns())]
    assert (max(steps), sum(steps) + 20 * TURN_CHUNKS) == (20 * TURN_CHUNKS, 20 * TURN_CHUNKS * 3)
    assert setup.transport.reading


async def test_a_full_buffer_ends_the_turn_of_its_connection():
    setup = Setup().deliver(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
    assert setup.deliver(b"x" * (READ_BYTES - 1)).transport.reading
    assert not setup.deliver(b"x" * READ_BYTES).transport.reading
    await asyncio.sleep(0)
    assert setup.transport.reading


async def test_a_turn_does_not_resume_reading_for_a_slow_reader():
    setup = Setup().deliver(CHUNKED + chunks(80 * 1024, 1))
    setup.deliver(chunks(20, TURN_CHUNKS * 2))
    setup.connection.pause()
    size = len(setup.handler.body)
    await asyncio.sleep(0)
    assert (len(setup.handler.body), setup.transport.reading) == (size, False)
    setup.connection.resume()
    await setup.run_turns()
    assert (len(setup.handler.body) - size, setup.transport.reading) == (20 * TURN_CHUNKS, True)


@pytest.mark.parametrize("ends", ["eof_received", "connection_lost"])
async def test_a_response_that_waits_for_its_turn_is_completed_at_the_end(ends):
    setup = Setup().deliver(CHUNKED + chunks(80 * 1024, 1))
    setup.deliver(chunks(20, TURN_CHUNKS * 3) + b"0\r\n\r\n")
    assert not setup.handler.end
    getattr(setup.connection, ends)(*([None] if ends == "connection_lost" else []))
    assert (setup.handler.end, len(setup.handler.body)) == ("ended", 80 * 1024 + 20 * TURN_CHUNKS * 3)


async def test_bytes_received_during_the_pause_wait_too():
    setup = Setup().deliver(CHUNKED + chunks(80 * 1024, 1))
    setup.deliver(b"a\r\n0123456789\r\n" * (TURN_CHUNKS + 1))
    setup.deliver(b"3\r\nend\r\n")
    await setup.run_turns()
    assert setup.handler.body.endswith(b"0123456789" * (TURN_CHUNKS + 1) + b"end")


async def test_reading_continues_behind_a_response_that_fills_the_buffer():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: "
    size = READ_BYTES - len(head) - len(b"12345\r\n\r\n")
    setup = Setup().deliver(b"%b%d\r\n\r\n%b" % (head, size, b"x" * size))
    assert (setup.handler.end, setup.transport.reading) == ("whole", True)
    setup.deliver(WHOLE)
    assert (setup.connection.reusable, setup.transport.events) == (False, ["abort"])
