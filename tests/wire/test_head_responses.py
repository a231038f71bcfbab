"""Heads of answers: what a provider may say, and what is no answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.wire.head import ProtocolError, parse_response_head

pytestmark = pytest.mark.usefixtures("scanner")

MOST = 100
PIECES = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 204 ", b"HTTP/1.1", b" ", b"200", b"\r\n", b"\n", b"\r", b"\0", b":", b"X: y",
    b"Content-Length: ", b"Transfer-Encoding: ", b"chunked", b"1", b"-1", b",", b"\xff", b"Connection: close",
]  # fmt: skip


def response(line=b"HTTP/1.1 200 OK", *fields):
    return b"\r\n".join([line, *fields, b"", b""])


@pytest.mark.parametrize(
    ("raw", "status", "length", "chunked", "close"),
    [
        (response(b"HTTP/1.1 200 OK", b"Content-Length: 2"), 200, 2, False, False),
        (response(b"HTTP/1.1 200 ", b"Content-Length: 2"), 200, 2, False, False),
        (response(b"HTTP/1.1 200", b"Content-Length: 2"), 200, 2, False, False),
        (response(b"HTTP/1.1 500 \xbc\xad\xb9\xf6", b"Content-Length: 2"), 500, 2, False, False),
        (response(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"), 200, None, True, False),
        (response(b"HTTP/1.1 200 OK", b"Content-Length: 2 ", b"Connection: close\t"), 200, 2, False, True),
        (response(), 200, None, False, True),
        (response(b"HTTP/1.0 200 OK", b"Content-Length: 2", b"Connection: keep-alive"), 200, 2, False, True),
        (response(b"HTTP/1.0 200 OK"), 200, None, False, True),
        (response(b"HTTP/1.0 200 OK", b"Transfer-Encoding: chunked"), None, None, None, None),
        (response(b"HTTP/2.0 200 OK"), None, None, None, None),
        (response(b"HTTP/1.2 200 OK"), None, None, None, None),
        (response(b"HTTP/1.1 20 OK"), None, None, None, None),
        (response(b"HTTP/1.1 2000 OK"), None, None, None, None),
        (response(b"HTTP/1.1  200 OK"), None, None, None, None),
        (response(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"Content-Length: 2"), None, None, None, None),
        (response(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"Transfer-Encoding: chunked"), None, None, None, None),
        (response(b"HTTP/1.1 200 OK", b"Transfer-Encoding: gzip, chunked"), None, None, None, None),
        (response(b"HTTP/1.1 200 OK", b"Content-Length: -2"), None, None, None, None),
        (response(b"HTTP/1.1 200 OK", b"X: y\r\n folded"), None, None, None, None),
        (response(b"HTTP/1.1 200 OK", b"X: y\nZ: z"), None, None, None, None),
        (response(b"HTTP/1.1 200 OK", b"X: \0"), None, None, None, None),
        (response(b"HTTP/1.1 200 OK", *[b"X: y"] * 101), None, None, None, None),
    ],
)
def test_a_response_head_is_parsed_or_refused(raw, status, length, chunked, close):
    if status is None:
        with pytest.raises(ProtocolError):
            parse_response_head(raw, MOST)
    else:
        head = parse_response_head(raw, MOST)
        assert (head.status, head.length, head.chunked, head.close) == (status, length, chunked, close)


def test_trailing_blanks_of_a_response_field_are_removed():
    head = parse_response_head(response(b"HTTP/1.1 200 OK", b"Content-Type: application/json \t", b"X: a b"), MOST)
    assert head.headers == {b"content-type": b"application/json", b"x": b"a b"}


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
def test_any_bytes_are_a_response_or_malformed(raw):
    raw = raw.replace(b"\r\n\r\n", b"\r\n") + b"\r\n\r\n"
    try:
        head = parse_response_head(raw, MOST)
    except ProtocolError:
        return
    assert raw[9:12] == b"%d" % head.status
