from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.wire.client import BEGIN_BYTES, READ_BYTES, WHOLE_BYTES, ClientConnection
from relay.wire.response_handler import ResponseFailure

OK = b"HTTP/1.1 200 OK\r\n"
BODY = b'{"rsp_code":"00000"}'
WHOLE = OK + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
LARGE = b"x" * (WHOLE_BYTES + 1)
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Transport:
    def __init__(self):
        self.written = b""
        self.events = []
        self.reading = True

    def write(self, data):
        self.written += data

    def get_extra_info(self, _name):
        return None

    def is_closing(self):
        return bool(self.events)

    def close(self):
        self.events.append("close")

    def abort(self):
        self.events.append("abort")

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        assert not self.is_closing()
        self.reading = True


class ResponseHandler:
    """Keeps its calls; joins the parts of a body."""

    def __init__(self):
        self.events = []

    def first_byte_received(self):
        self.events.append("first byte")

    def response_received(self, status, headers, body):
        self.events.append(("whole", status, body))

    def head_received(self, head, body):
        self.events.append(("head", head.status, head.length))
        self.body = body

    def body_received(self, body):
        self.body += body

    def response_ended(self):
        self.events.append(("ended", self.body))

    def request_failed(self, failure):
        self.events.append(failure)


class Setup:
    def __init__(self):
        self.lost = []
        self.transport = Transport()
        self.connection = ClientConnection(self.lost.append)
        self.connection.connection_made(self.transport)

    def request(self, *response, handler=None):
        handler = handler or ResponseHandler()
        self.connection.send(b"GET / HTTP/1.1\r\n\r\n", handler)
        self.receive(*response)
        return handler

    def receive(self, *pieces):
        for piece in pieces:
            for at in range(0, len(piece), READ_BYTES):
                part = piece[at : at + READ_BYTES]
                self.connection.get_buffer(-1)[: len(part)] = part
                self.connection.buffer_updated(len(part))
        return self


def exchange(*response):
    """Send a request and receive the response. Returns the events without the first byte, and the setup."""
    setup = Setup()
    events = setup.request(*response).events
    if events[:1] == ["first byte"]:  # a response that comes in one piece has no such event
        events = events[1:]
    assert "first byte" not in events
    return events, setup


@pytest.mark.parametrize(
    ("response", "status", "body"),
    [
        (WHOLE, 200, BODY),
        (OK + b"Content-Length: 0\r\n\r\n", 200, b""),
        (b"HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\n{}", 500, b"{}"),
        (CHUNKED + b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n", 200, b"{}"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE, 200, BODY),
        (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 \r\n\r\n" + WHOLE, 200, BODY),
        (OK + b"Content-Length: %d\r\n\r\n" % WHOLE_BYTES + LARGE[1:], 200, LARGE[1:]),
    ],
)
def test_a_response_up_to_64_kb_is_delivered_whole(response, status, body):
    for pieces in ([response], [response[at : at + 1] for at in range(min(len(response), 300))] + [response[300:]]):
        events, setup = exchange(*pieces)
        assert events == [("whole", status, body)]
        assert (setup.connection.reusable, setup.transport.events, setup.connection.uses) == (True, [], 1)
        assert setup.request(WHOLE).events[-1:] == [("whole", 200, BODY)]


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        OK + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
def test_a_connection_that_will_close_is_not_reusable(response):
    events, setup = exchange(response)
    assert events[0][0] == "whole"
    assert not setup.connection.reusable


@pytest.mark.parametrize("at_once", [True, False])
def test_trailing_blanks_of_a_value_are_removed_on_both_paths(at_once):
    setup = Setup()
    received = []

    class Keeping(ResponseHandler):
        def response_received(self, status, headers, body):
            received.append(headers)

    response = OK + b"Content-Type: application/json \r\nX: a b\t\r\nContent-Length: 2\r\n\r\n{}"
    setup.request(*([response] if at_once else [response[:20], response[20:]]), handler=Keeping())
    assert received == [{b"content-type": b"application/json", b"x": b"a b", b"content-length": b"2"}]


def test_proxy_connection_close_does_not_end_a_connection():
    setup = Setup()
    response = OK + b"Proxy-Connection: close\r\nContent-Length: 2\r\n\r\n{}"
    assert [setup.request(response).events for _ in range(3)] == [[("whole", 200, b"{}")]] * 3


def test_a_large_response_is_streamed():
    head = OK + b"Content-Length: %d\r\n\r\n" % len(LARGE)
    assert exchange(head, LARGE[:BEGIN_BYTES])[0] == [("head", 200, len(LARGE))]
    events, setup = exchange(head + LARGE[:BEGIN_BYTES], LARGE[BEGIN_BYTES:])
    assert events == [("head", 200, len(LARGE)), ("ended", LARGE)]
    assert setup.connection.reusable


def test_the_head_of_a_large_response_waits_for_its_beginning():
    setup = Setup()
    handler = setup.request(OK + b"Content-Length: %d\r\n\r\n" % len(LARGE), LARGE[: BEGIN_BYTES - 1])
    assert handler.events == ["first byte"]
    setup.connection.connection_lost(None)
    assert handler.events == ["first byte", ResponseFailure.CUT]


def test_a_large_chunked_response_is_streamed():
    events, setup = exchange(CHUNKED, b"10001\r\n" + LARGE, b"\r\n")
    assert events == [("head", 200, None)]
    setup.receive(b"2\r\nyz\r\n0\r\n\r\n")
    assert setup.connection.reusable


@given(st.lists(st.binary(min_size=1, max_size=99), max_size=5), st.lists(st.integers(0, 400), max_size=6))
def test_a_response_is_the_same_in_any_segments(parts, cuts):
    body = b"".join(parts)
    chunked = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    counted = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    for response in (chunked, counted):
        edges = sorted({0, len(response), *(cut % (len(response) + 1) for cut in cuts)})
        pieces = [response[start:end] for start, end in pairwise(edges)]
        assert exchange(*pieces)[0] == [("whole", 200, body)]


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
def test_a_response_without_a_length_ends_with_its_connection(head):
    events, setup = exchange(head + b"{", b"}")
    assert events == []
    assert setup.connection.eof_received() is False
    assert events == []
    setup = Setup()
    handler = setup.request(head + b"{", b"}")
    setup.connection.eof_received()
    setup.connection.connection_lost(None)
    assert handler.events == ["first byte", ("whole", 200, b"{}")]
    assert (setup.connection.reusable, setup.lost) == (False, [setup.connection])


def test_a_large_response_without_a_length_is_streamed():
    setup = Setup()
    handler = setup.request(OK + b"\r\n", LARGE, b"yz")
    setup.connection.eof_received()
    assert handler.events == ["first byte", ("head", 200, None), ("ended", LARGE + b"yz")]


@pytest.mark.parametrize(
    "response",
    [
        WHOLE + b"x",
        WHOLE + WHOLE,
        CHUNKED + b"0\r\n\r\nx",
        CHUNKED + b"2\r\n{}\r\n0\r\nX: y\r\n\r\n",
        CHUNKED + b"2\r\n{}x",
        CHUNKED + b"x\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\n\r\nx",
        b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"<html>",
        b"\r\n" + WHOLE,
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        OK + b"X: " + b"a" * 16_384 + b"\r\n\r\n",
        OK + b"X: " + b"a" * 16_384,
        OK + b"X: y\r\n" * 101 + b"\r\n",
    ],
    ids=lambda response: repr(response[:60]),
)
def test_a_malformed_response_fails_and_cuts_the_connection(response):
    events, setup = exchange(response)
    assert events == [ResponseFailure.MALFORMED]
    assert (setup.connection.reusable, setup.transport.events) == (False, ["abort"])
    setup.connection.connection_lost(None)
    assert events == [ResponseFailure.MALFORMED]


@pytest.mark.parametrize("beyond", [b"x", b"\r\n", WHOLE])
@pytest.mark.parametrize("response", [WHOLE, CHUNKED + b"2\r\n{}\r\n0\r\n\r\n"])
def test_bytes_behind_a_response_cut_the_connection(response, beyond):
    events, setup = exchange(response)
    setup.receive(beyond)
    assert len(events) == 1
    assert (setup.connection.reusable, setup.transport.events) == (False, ["abort"])


@pytest.mark.parametrize(
    ("response", "failure"),
    [
        (b"", ResponseFailure.CLOSED),
        (b"H", ResponseFailure.CUT),
        (b"HTTP/1.1 100 Continue\r\n\r\n", ResponseFailure.CUT),
        (WHOLE[:-1], ResponseFailure.CUT),
        (CHUNKED + b"2\r\n{}\r\n0\r\n\r", ResponseFailure.CUT),
        (OK + b"Content-Length: %d\r\n\r\n" % len(LARGE) + LARGE[:-1], ResponseFailure.CUT),
    ],
)
@pytest.mark.parametrize("gracefully", [True, False])
def test_an_incomplete_response_fails_once(response, failure, gracefully):
    setup = Setup()
    handler = setup.request(response)
    if gracefully:
        setup.connection.eof_received()
    setup.connection.connection_lost(None if gracefully else ConnectionResetError())
    assert handler.events[-1] is failure
    assert handler.events.count(failure) == 1
    assert (setup.connection.reusable, setup.lost) == (False, [setup.connection])


def test_an_unsolicited_response_cuts_the_connection():
    setup = Setup().receive(b"HTTP/1.1 408 Timeout\r\n\r\n")
    assert (setup.connection.reusable, setup.transport.events) == (False, ["abort"])


def test_an_aborted_request_gets_no_response():
    setup = Setup()
    handler = setup.request(WHOLE[:-1])
    setup.connection.abort()
    setup.receive(WHOLE[-1:])
    setup.connection.connection_lost(None)
    assert handler.events == ["first byte"]
    assert not setup.connection.reusable


def test_abort_in_a_large_response_delivers_no_more_of_it():
    setup = Setup()

    class Leaving(ResponseHandler):
        def head_received(self, head, body):
            super().head_received(head, body)
            setup.connection.abort()

    handler = setup.request(OK + b"Content-Length: %d\r\n\r\n" % len(LARGE) + LARGE[:BEGIN_BYTES], handler=Leaving())
    assert handler.events == ["first byte", ("head", 200, len(LARGE))]


def test_a_connection_paused_in_a_response_reads_again_after_it():
    setup = Setup()

    class Slow(ResponseHandler):
        def body_received(self, body):
            super().body_received(body)
            setup.transport.pause_reading()

    handler = setup.request(
        OK + b"Content-Length: %d\r\n\r\n" % len(LARGE) + LARGE[:BEGIN_BYTES], LARGE[BEGIN_BYTES:], handler=Slow()
    )
    assert handler.events[-1] == ("ended", LARGE)
    assert setup.transport.reading


def test_keep_alive_is_the_field_of_the_last_response():
    setup = Setup()
    setup.request(OK + b"Keep-Alive: timeout=5, max=100\r\nContent-Length: 2\r\n\r\n{}")
    assert setup.connection.keep_alive == b"timeout=5, max=100"
    setup.request(WHOLE)
    assert setup.connection.keep_alive is None


def test_an_idle_connection_is_closed_gracefully():
    setup = Setup()
    setup.connection.close()
    assert (setup.connection.reusable, setup.transport.events) == (False, ["close"])


PIECES = [OK, b"HTTP/1.1 100 \r\n\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n", b"abc",
          b"3\r\n", b"0\r\n\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 204 X\r\n", b"\0", b"X: y\r\n"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.binary(min_size=1, max_size=4), max_size=10))
def test_the_handler_gets_exactly_one_end_for_any_bytes(pieces):
    setup, handler = Setup(), ResponseHandler()
    setup.connection.send(b"", handler)
    for piece in pieces:
        if not setup.transport.events:
            setup.receive(piece)
    setup.connection.eof_received()
    setup.connection.connection_lost(None)
    ends = [event for event in handler.events if isinstance(event, ResponseFailure) or event[0] in {"whole", "ended"}]
    assert len(ends) == 1
