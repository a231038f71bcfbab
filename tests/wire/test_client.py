"""The client's side without sockets: one question, one answer, and never the answer to another."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.wire.asker import ResponseFailure
from relay.wire.client import READ_BYTES, WHOLE_BYTES, ClientConnection

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
    """Notes what it is told; the parts of a body as one."""

    def __init__(self):
        self.told = []

    def first_byte_received(self):
        self.told.append("first byte")

    def response_received(self, status, headers, body):
        self.told.append(("whole", status, body))

    def head_received(self, head, body):
        self.told.append(("begun", head.status, head.length))
        self.body = body

    def body_received(self, body):
        self.body += body

    def response_ended(self):
        self.told.append(("ended", self.body))

    def request_failed(self, how):
        self.told.append(how)


class Line:
    def __init__(self):
        self.lost = []
        self.transport = Transport()
        self.connection = ClientConnection(self.lost.append)
        self.connection.connection_made(self.transport)

    def ask(self, *answer, asker=None):
        asker = asker or ResponseHandler()
        self.connection.send(b"GET / HTTP/1.1\r\n\r\n", asker)
        self.hear(*answer)
        return asker

    def hear(self, *pieces):
        for piece in pieces:
            for at in range(0, len(piece), READ_BYTES):
                part = piece[at : at + READ_BYTES]
                self.connection.get_buffer(-1)[: len(part)] = part
                self.connection.buffer_updated(len(part))
        return self


def heard(*answer):
    """What an asker is told of an answer, without its first byte."""
    line = Line()
    told = line.ask(*answer).told
    if told[:1] == ["first byte"]:  # an answer that comes whole at once is told of once
        told = told[1:]
    assert "first byte" not in told
    return told, line


@pytest.mark.parametrize(
    ("answer", "status", "body"),
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
def test_an_answer_up_to_64_kb_is_handed_over_whole_and_the_connection_is_free_again(answer, status, body):
    for pieces in ([answer], [answer[at : at + 1] for at in range(min(len(answer), 300))] + [answer[300:]]):
        told, line = heard(*pieces)
        assert told == [("whole", status, body)]
        assert (line.connection.reusable, line.transport.events, line.connection.uses) == (True, [], 1)
        assert line.ask(WHOLE).told[-1:] == [("whole", 200, BODY)]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        OK + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
def test_a_connection_that_says_it_ends_is_not_used_again(answer):
    told, line = heard(answer)
    assert told[0][0] == "whole"
    assert not line.connection.reusable


@pytest.mark.parametrize("at_once", [True, False])
def test_blanks_behind_a_value_are_none_of_it_whichever_way_it_comes(at_once):
    line = Line()
    kept = []

    class Keeping(ResponseHandler):
        def response_received(self, status, headers, body):
            kept.append(headers)

    answer = OK + b"Content-Type: application/json \r\nX: a b\t\r\nContent-Length: 2\r\n\r\n{}"
    line.ask(*([answer] if at_once else [answer[:20], answer[20:]]), asker=Keeping())
    assert kept == [{b"content-type": b"application/json", b"x": b"a b", b"content-length": b"2"}]


def test_a_connection_that_speaks_of_a_proxys_end_goes_on():
    line = Line()
    answer = OK + b"Proxy-Connection: close\r\nContent-Length: 2\r\n\r\n{}"
    assert [line.ask(answer).told for _ in range(3)] == [[("whole", 200, b"{}")]] * 3


def test_a_large_answer_is_passed_on_as_it_comes():
    told, line = heard(OK + b"Content-Length: %d\r\n\r\n" % len(LARGE), LARGE[:10])
    assert told == [("begun", 200, len(LARGE))]
    line.hear(LARGE[10:])
    assert told == [("begun", 200, len(LARGE))]
    told, line = heard(OK + b"Content-Length: %d\r\n\r\n" % len(LARGE) + LARGE[:99], LARGE[99:])
    assert told == [("begun", 200, len(LARGE)), ("ended", LARGE)]
    assert line.connection.reusable


def test_a_large_chunked_answer_is_passed_on_once_it_is_large():
    told, line = heard(CHUNKED, b"10001\r\n" + LARGE, b"\r\n")
    assert told == [("begun", 200, None)]
    line.hear(b"2\r\nyz\r\n0\r\n\r\n")
    assert line.connection.reusable


@given(st.lists(st.binary(min_size=1, max_size=99), max_size=5), st.lists(st.integers(0, 400), max_size=6))
def test_an_answer_in_any_segments_is_the_same_answer(parts, cuts):
    body = b"".join(parts)
    chunked = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    counted = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    for answer in (chunked, counted):
        edges = sorted({0, len(answer), *(cut % (len(answer) + 1) for cut in cuts)})
        pieces = [answer[start:end] for start, end in pairwise(edges)]
        assert heard(*pieces)[0] == [("whole", 200, body)]


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
def test_an_answer_without_a_length_ends_with_its_connection(head):
    told, line = heard(head + b"{", b"}")
    assert told == []
    assert line.connection.eof_received() is False
    assert told == []
    line = Line()
    asker = line.ask(head + b"{", b"}")
    line.connection.eof_received()
    line.connection.connection_lost(None)
    assert asker.told == ["first byte", ("whole", 200, b"{}")]
    assert (line.connection.reusable, line.lost) == (False, [line.connection])


def test_a_large_answer_without_a_length_is_passed_on_and_ends_with_its_connection():
    line = Line()
    asker = line.ask(OK + b"\r\n", LARGE, b"yz")
    line.connection.eof_received()
    assert asker.told == ["first byte", ("begun", 200, None), ("ended", LARGE + b"yz")]


@pytest.mark.parametrize(
    "answer",
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
    ids=lambda answer: repr(answer[:60]),
)
def test_what_is_no_answer_breaks_it_and_cuts_the_connection(answer):
    told, line = heard(answer)
    assert told == [ResponseFailure.MALFORMED]
    assert (line.connection.reusable, line.transport.events) == (False, ["abort"])
    line.connection.connection_lost(None)
    assert told == [ResponseFailure.MALFORMED]


@pytest.mark.parametrize("beyond", [b"x", b"\r\n", WHOLE])
@pytest.mark.parametrize("answer", [WHOLE, CHUNKED + b"2\r\n{}\r\n0\r\n\r\n"])
def test_what_comes_after_an_answer_cuts_the_connection_before_it_meets_a_question(answer, beyond):
    told, line = heard(answer)
    line.hear(beyond)
    assert len(told) == 1
    assert (line.connection.reusable, line.transport.events) == (False, ["abort"])


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        (b"", ResponseFailure.CLOSED),
        (b"H", ResponseFailure.CUT),
        (b"HTTP/1.1 100 Continue\r\n\r\n", ResponseFailure.CUT),
        (WHOLE[:-1], ResponseFailure.CUT),
        (CHUNKED + b"2\r\n{}\r\n0\r\n\r", ResponseFailure.CUT),
        (OK + b"Content-Length: %d\r\n\r\n" % len(LARGE) + LARGE[:-1], ResponseFailure.CUT),
    ],
)
@pytest.mark.parametrize("politely", [True, False])
def test_an_answer_that_breaks_off_is_told_once(answer, how, politely):
    line = Line()
    asker = line.ask(answer)
    if politely:
        line.connection.eof_received()
    line.connection.connection_lost(None if politely else ConnectionResetError())
    assert asker.told[-1] is how
    assert asker.told.count(how) == 1
    assert (line.connection.reusable, line.lost) == (False, [line.connection])


def test_what_nobody_asked_for_cuts_the_connection():
    line = Line().hear(b"HTTP/1.1 408 Timeout\r\n\r\n")
    assert (line.connection.reusable, line.transport.events) == (False, ["abort"])


def test_nobody_is_told_of_an_answer_that_nobody_wants_any_more():
    line = Line()
    asker = line.ask(WHOLE[:-1])
    line.connection.abort()
    line.hear(WHOLE[-1:])
    line.connection.connection_lost(None)
    assert asker.told == ["first byte"]
    assert not line.connection.reusable


def test_who_leaves_amid_a_large_answer_hears_no_more_of_it():
    line = Line()

    class Leaving(ResponseHandler):
        def head_received(self, head, body):
            super().head_received(head, body)
            line.connection.abort()

    asker = line.ask(OK + b"Content-Length: %d\r\n\r\n" % len(LARGE) + LARGE[:9], asker=Leaving())
    assert asker.told == ["first byte", ("begun", 200, len(LARGE))]


def test_a_connection_paused_in_an_answer_reads_again_after_it():
    line = Line()

    class Slow(ResponseHandler):
        def body_received(self, body):
            super().body_received(body)
            line.transport.pause_reading()

    asker = line.ask(OK + b"Content-Length: %d\r\n\r\n" % len(LARGE) + LARGE[:99], LARGE[99:], asker=Slow())
    assert asker.told[-1] == ("ended", LARGE)
    assert line.transport.reading


def test_the_provider_says_how_long_a_connection_may_idle():
    line = Line()
    line.ask(OK + b"Keep-Alive: timeout=5, max=100\r\nContent-Length: 2\r\n\r\n{}")
    assert line.connection.keep_alive == b"timeout=5, max=100"
    line.ask(WHOLE)
    assert line.connection.keep_alive is None


def test_an_idle_connection_is_closed_in_peace():
    line = Line()
    line.connection.close()
    assert (line.connection.reusable, line.transport.events) == (False, ["close"])


PIECES = [OK, b"HTTP/1.1 100 \r\n\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n", b"abc",
          b"3\r\n", b"0\r\n\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 204 X\r\n", b"\0", b"X: y\r\n"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.binary(min_size=1, max_size=4), max_size=10))
def test_whatever_comes_back_the_asker_is_told_exactly_one_end(pieces):
    line, asker = Line(), ResponseHandler()
    line.connection.send(b"", asker)
    for piece in pieces:
        if not line.transport.events:
            line.hear(piece)
    line.connection.eof_received()
    line.connection.connection_lost(None)
    ends = [told for told in asker.told if isinstance(told, ResponseFailure) or told[0] in {"whole", "ended"}]
    assert len(ends) == 1
