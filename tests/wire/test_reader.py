from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.wire.head import ProtocolError, Violation
from relay.wire.reader import RequestReader, ServerLimits, Stage

LIMITS = ServerLimits(
    head_bytes=16384, headers=100, body_bytes=65536, pipelined=32, head_s=5.0, body_s=10.0, idle_s=75.0
)
GET = b"GET /v1/bank/accounts?org_code=ZBAA000001 HTTP/1.1\r\nHost: h\r\n\r\n"
BODY = b'{"org_code":"ZBAA000001"}\r\n\r\nGET / HTTP/1.1\r\n'
POST = b"POST /v1 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = b"POST /v2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\n}\r\n2\r\n\r\n\r\n0\r\n\r\n"
EMPTY = b"POST /v3 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
ALL = [GET, POST, CHUNKED, EMPTY]
EXPECTED = {GET: ("GET", b""), POST: ("POST", BODY), CHUNKED: ("POST", b"{\n}\r\n"), EMPTY: ("POST", b"")}


class Setup:
    """A reader and the requests that it has delivered."""

    def __init__(self, limits=LIMITS):
        self.requests = []
        self.reader = RequestReader(limits, lambda head, body: self.requests.append((head.method, head.target, body)))

    def feed(self, *pieces):
        for piece in pieces:
            self.reader.feed(piece)
        return self

    def feed_refused(self, *pieces):
        with pytest.raises(ProtocolError) as error:
            self.feed(*pieces)
        return error.value


def split(data, cuts):
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def outcome(pieces):
    """Parse pieces. Returns the requests, and the stage or "refused"."""
    setup = Setup()
    try:
        setup.feed(*pieces)
    except ProtocolError:
        return setup.requests, "refused"
    return setup.requests, setup.reader.stage


cuts = st.lists(st.integers(0, 2000), max_size=12)


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=8), cuts)
def test_pipelined_requests_arrive_in_order_in_any_segments(requests, cuts):
    parsed, stage = outcome(split(b"".join(requests), cuts))
    assert [(method, body) for method, _, body in parsed] == [EXPECTED[request] for request in requests]
    assert [target for _, target, _ in parsed] == [request.split(b" ")[1] for request in requests]
    assert stage is Stage.NOTHING


def test_single_bytes_are_parsed_like_the_whole():
    data = b"".join(ALL)
    assert outcome([data]) == outcome([data[at : at + 1] for at in range(len(data))])


@given(st.binary(max_size=65536))
def test_a_body_is_kept_byte_for_byte(body):
    head = b"POST /v1 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert Setup().feed(head + body + GET).requests[0] == ("POST", b"/v1", body)


NOISE = [
    b"\r\n",
    b"\n",
    b"\0",
    b" ",
    b"GET ",
    b"/",
    b" HTTP/1.1",
    b"Host: h",
    b"Content-Length: 3",
    b"0\r\n\r\n",
    b"\xff",
    b":",
]
noise = st.lists(st.sampled_from(NOISE) | st.binary(max_size=2), min_size=1, max_size=3).map(b"".join)


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=4), st.integers(0, 600), noise, st.integers(0, 3), cuts)
def test_a_stream_with_noise_is_parsed_the_same_in_any_segments(requests, where, noise, removed, cuts):
    data = b"".join(requests)
    at = where % (len(data) + 1)
    data = data[:at] + noise + data[at + removed :]
    assert outcome(split(data, cuts)) == outcome([data])


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_any_bytes_raise_nothing_but_malformed(pieces):
    assert outcome(pieces)[1] in {*Stage, "refused"}


@pytest.mark.parametrize(
    ("data", "stage"),
    [
        (b"", Stage.NOTHING),
        (b"G", Stage.HEAD),
        (GET[:-1], Stage.HEAD),
        (GET, Stage.NOTHING),
        (GET + b"P", Stage.HEAD),
        (POST[:-1], Stage.BODY),
        (POST, Stage.NOTHING),
        (CHUNKED[:-1], Stage.BODY),
        (EMPTY, Stage.NOTHING),
    ],
)
def test_the_stage_is_the_incomplete_part(data, stage):
    assert Setup().feed(data).reader.stage is stage


NO_BEGIN = [
    b"\r\n",
    b"\r",
    b"\n",
    b" ",
    b"\0",
    b"get ",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"{",
    b"1",
    b"\xef\xbb\xbfGET",
]


@pytest.mark.parametrize(
    "data", [*NO_BEGIN, b"GET / HTTP/1.1\n", b"GET /\0", b"GET / HTTP/1.1\r\nHost: h\n\n"], ids=repr
)
def test_an_impossible_head_is_refused_before_its_end(data):
    assert Setup().feed_refused(data).violation is Violation.HEAD_MALFORMED


def test_only_requests_before_the_refused_one_arrive():
    setup = Setup()
    refusal = setup.feed_refused(GET + POST + b"GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n" + GET)
    assert refusal.violation is Violation.TARGET_MALFORMED
    assert [method for method, _, _ in setup.requests] == ["GET", "POST"]


def build_head(size):
    """Build a head of `size` bytes."""
    return GET[:-2] + b"X: " + b"a" * (size - len(GET) - 5) + b"\r\n\r\n"


def test_a_head_may_have_head_bytes_and_no_more():
    assert len(Setup().feed(build_head(16384)).requests) == 1
    assert Setup().feed_refused(build_head(16385)).violation is Violation.HEAD_TOO_LARGE
    assert Setup().feed_refused(build_head(40000)[:16385]).violation is Violation.HEAD_TOO_LARGE
    assert Setup().feed(build_head(40000)[:16384]).reader.stage is Stage.HEAD


def test_a_refused_head_keeps_no_more_than_its_limit():
    assert len(Setup().feed_refused(build_head(16385)).raw) == 16384
    assert len(Setup().feed_refused(b"GET /" + b"a" * 100_000).raw) == 16384


@pytest.mark.parametrize("size", [65537, 999_999_999_999_999])
def test_a_body_too_large_is_refused_by_its_content_length(size):
    head = b"POST /v1 HTTP/1.1\r\nHost: h\r\nx-api-tran-id: T1\r\nContent-Length: %d\r\n\r\n" % size
    refusal = Setup().feed_refused(head)
    assert (refusal.violation, refusal.raw) == (Violation.BODY_TOO_LARGE, head)


CHUNKED_HEAD = b"POST /v1 HTTP/1.1\r\nHost: h\r\nX-API-Tran-ID: T1\r\nTransfer-Encoding: chunked\r\n\r\n"
ECHO = b"POST /v1\r\nx-api-tran-id: T1\r\n"


def test_a_chunked_body_may_have_body_bytes_and_no_more():
    most = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    assert len(Setup().feed(CHUNKED_HEAD, most, b"0\r\n\r\n").requests) == 1
    refusal = Setup().feed_refused(CHUNKED_HEAD, most, b"1\r\na\r\n")
    assert (refusal.violation, refusal.raw) == (Violation.BODY_TOO_LARGE, ECHO)


def test_thousands_of_tiny_chunks_are_refused():
    assert Setup().feed_refused(CHUNKED_HEAD, b"1\r\na\r\n" * 14_000).violation is Violation.BODY_TOO_LARGE


@pytest.mark.parametrize("body", [b"x\r\n", b"1\r\nab\r\n", b"0\r\nX: y\r\n\r\n", b"1;a=b\r\n"])
def test_a_malformed_chunked_body_is_refused_with_its_tran_id(body):
    refusal = Setup().feed_refused(CHUNKED_HEAD + body)
    assert (refusal.violation, refusal.raw) == (Violation.BODY_MALFORMED, ECHO)


def test_the_timeout_error_names_the_missing_part():
    head = Setup().feed(b"GET / HT").reader.timeout_error()
    assert (head.violation, head.raw) == (Violation.HEAD_TOO_SLOW, b"GET / HT")
    body = Setup().feed(CHUNKED_HEAD).reader.timeout_error()
    assert (body.violation, body.raw) == (Violation.BODY_TOO_SLOW, ECHO)
    without_tran_id = Setup().feed(POST[:-1]).reader.timeout_error()
    assert (without_tran_id.violation, without_tran_id.raw) == (
        Violation.BODY_TOO_SLOW,
        b"POST /v1\r\nx-api-tran-id: \r\n",
    )


EXPECTING = b"POST /v1 HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"


def test_a_body_may_wait_for_100_continue():
    assert Setup().feed(EXPECTING).reader.asks_to_continue
    assert not Setup().feed(POST[:-1]).reader.asks_to_continue


@pytest.mark.parametrize("pieces", [[EXPECTING + b"{}"], [EXPECTING, b"{}"], [EXPECTING + b"{}" + GET[:9]]])
def test_a_body_that_has_come_needs_no_100_continue(pieces):
    assert not Setup().feed(*pieces).reader.asks_to_continue


def test_another_expectation_is_refused_if_there_is_a_body():
    odd = EXPECTING.replace(b"100-Continue", b"a-miracle")
    assert Setup().feed_refused(odd).violation is Violation.HEAD_MALFORMED
    assert len(Setup().feed(odd.replace(b"Length: 2", b"Length: 0")).requests) == 1


def test_a_stopped_reader_keeps_bytes_until_it_continues():
    requests = []

    def stop_reader(head, _body):
        requests.append(head.method)
        reader.stopped = True

    reader = RequestReader(LIMITS, stop_reader)
    reader.feed(GET + POST + GET[:9])
    assert (requests, reader.stage) == (["GET"], Stage.NOTHING)
    for expected in (["GET", "POST"], ["GET", "POST"]):
        reader.stopped = False
        reader.feed(b"")
        assert requests == expected
    assert reader.stage is Stage.HEAD
    reader.feed(GET[9:])
    assert requests == ["GET", "POST", "GET"]


ODD = [
    b"Connection: close",
    b"Connection: keep-alive, Close",
    b"Connection: upgrade",
    b"Connection: closed",
    b"Proxy-Connection: close",
    b"Proxy-Connection: keep-alive",
    b"Upgrade: h2c",
    b"Content-Length: 0",
    b"Content-Length: 002",
    b"Transfer-Encoding: chunked",
    b"Expect: 100-continue",
    b"X-Empty:",
    b"host2: h",
]


def odd_request(fields):
    framed = b"".join(fields)
    body = b"{}" if b"002" in framed else b"2\r\n{}\r\n0\r\n\r\n" if b"chunked" in framed else b""
    return b"\r\n".join([b"POST /odd HTTP/1.1", b"Host: h", *fields, b"", body])


def allowed(fields):
    names = [field.split(b":")[0].lower() for field in fields]
    return len(set(names)) == len(names) and len({b"content-length", b"transfer-encoding"} & set(names)) < 2


odd = st.lists(st.sampled_from(ODD), max_size=4).filter(allowed).map(odd_request)


@given(st.lists(odd | st.sampled_from(ALL), min_size=1, max_size=6), cuts)
def test_no_request_is_parsed_differently_after_another(requests, cuts):
    alone = [outcome([request]) for request in requests]
    together, end = outcome(split(b"".join(requests), cuts))
    if all(stage is Stage.NOTHING for _, stage in alone):
        assert (together, end) == ([request for parsed, _ in alone for request in parsed], Stage.NOTHING)
