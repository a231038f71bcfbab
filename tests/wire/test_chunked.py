from itertools import pairwise

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.wire.chunked import ChunkedBody
from relay.wire.head import ProtocolError, Violation

HELLO = b"5\r\nhello\r\n0\r\n\r\n"


def decode(data, cuts=(), *, is_response=False):
    """Decode data cut into pieces. Returns body, bytes behind it, and whether it has ended."""
    chunks = ChunkedBody(is_response=is_response)
    body, beyond = b"", b""
    edges = [0, *sorted(cut for cut in cuts if cut <= len(data)), len(data)]
    for start, end in pairwise(edges):
        if chunks.done:
            beyond += data[start:end]
        else:
            part, beyond = chunks.feed(data[start:end])
            body += part
    return body, beyond, chunks.done


def outcome(*args, **kwargs):
    try:
        return decode(*args, **kwargs)
    except ProtocolError as error:
        return error.violation


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (HELLO, (b"hello", b"", True)),
        (b"0\r\n\r\n", (b"", b"", True)),
        (b"000\r\n\r\n", (b"", b"", True)),
        (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", (b"0123456789" * 2, b"", True)),
        (b"5\r\n\r\n0\r\n\r\n0\r\n\r\n", (b"\r\n0\r\n", b"", True)),
        (HELLO + b"GET / HTTP/1.1\r\n", (b"hello", b"GET / HTTP/1.1\r\n", True)),
        (HELLO + b"\r\n", (b"hello", b"\r\n", True)),
        (b"5\r\nhel", (b"hel", b"", False)),
        (b"5\r\nhello", (b"hello", b"", False)),
        (b"5\r\nhello\r", (b"hello", b"", False)),
        (b"5", (b"", b"", False)),
        (b"", (b"", b"", False)),
    ],
)
def test_a_body_is_decoded_up_to_its_end(data, expected):
    assert decode(data) == expected


BAD = [
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"-1\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n",
    b"g\r\nhello\r\n0\r\n\r\n",
    "٥\r\nhello\r\n0\r\n\r\n".encode(),
    b"123456789\r\n",
    b"FFFFFFFFFFFFFFFFF\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello\r\n0\n\n",
    b"5\r\nhello\r\n0\r\n\n",
    b"5\rhello\r\n0\r\n\r\n",
    b"5\r\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhelloX\r\n0\r\n\r\n",
    b"5\r\nhell\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhello\r\n\r\n0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n",
    b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n",
    b"5\r\nhello\r\n0\r\n \r\n\r\n",
    b"5\0\r\nhello\r\n0\r\n\r\n",
    b"5;a=\nb\r\nhello\r\n0\r\n\r\n",
    b"5;a=\rb\r\nhello\r\n0\r\n\r\n",
    b"5;a=\0\r\nhello\r\n0\r\n\r\n",
    b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n",
    b"5;" + b"a" * 300,
]


@pytest.mark.parametrize("data", BAD, ids=repr)
@pytest.mark.parametrize("is_response", [False, True], ids=["request", "response"])
def test_a_malformed_body_is_refused_whole_or_in_pieces(data, is_response):
    assert outcome(data, is_response=is_response) is Violation.BODY_MALFORMED
    assert outcome(data, range(len(data)), is_response=is_response) is Violation.BODY_MALFORMED


@pytest.mark.parametrize("extension", [b";a", b";a=b", b';a="b c"', b";"])
def test_extensions_are_refused_in_requests_and_skipped_in_responses(extension):
    data = b"5" + extension + b"\r\nhello\r\n0" + extension + b"\r\n\r\n"
    assert outcome(data) is Violation.BODY_MALFORMED
    assert decode(data, is_response=True) == decode(data, range(len(data)), is_response=True) == (b"hello", b"", True)


class Sink:
    """The body that llhttp finds."""

    def __init__(self):
        self.body, self.whole = b"", False

    def on_body(self, part):
        self.body += part

    def on_message_complete(self):
        self.whole = True


def decode_by_llhttp(data):
    sink = Sink()
    parser = httptools.HttpRequestParser(sink)
    parser.feed_data(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    return sink


PIECES = [
    b"0",
    b"5",
    b"a",
    b"00",
    b"\r\n",
    b"\n",
    b"\r",
    b"hello",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b";x",
    b"GET / ",
    b"\0",
]
near = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=12).map(b"".join)
whole = st.lists(st.binary(min_size=1, max_size=40), max_size=6).map(
    lambda parts: b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
)
cuts = st.lists(st.integers(0, 200), max_size=8)


@given(near | whole, cuts)
@example(b"5\r\nhello\r\n0\r\n\r\nGET", [15])
def test_pieces_are_decoded_like_the_whole(data, cuts):
    assert outcome(data, cuts) == outcome(data) == outcome(data, range(len(data)))


@given(near | whole)
def test_llhttp_decodes_the_same_body(data):
    result = outcome(data)
    if not isinstance(result, Violation) and result[2]:
        sink = decode_by_llhttp(data[: len(data) - len(result[1])])
        assert (sink.body, sink.whole) == (result[0], True)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), st.binary(max_size=20), cuts)
def test_every_body_is_decoded_byte_for_byte(parts, beyond, cuts):
    data = b"".join(b"%X\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n" + beyond
    assert decode(data, cuts) == (b"".join(parts), beyond, True)
