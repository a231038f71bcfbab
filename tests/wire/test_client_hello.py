"""How much of a ClientHello is still to come."""

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.wire.client_hello import PEEKED_BYTES, RECORDS_MOST, missing_bytes
from relay.wire.tls_records import RecordsExceeded


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="relay.example")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


HELLO = client_hello()


def in_records(message, size):
    """The same handshake message in records of `size` bytes."""
    parts = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in parts)


@pytest.mark.parametrize("data", [HELLO, HELLO + b"x", in_records(HELLO[5:], 100)])
def test_a_whole_one_misses_nothing(data):
    assert missing_bytes(data) == 0


@given(st.integers(0, len(HELLO) - 1))
def test_a_part_misses_at_most_its_rest(size):
    assert 1 <= missing_bytes(HELLO[:size]) <= len(HELLO) - size or size < 5


@given(st.integers(40, 600), st.data())
def test_parts_in_several_records_are_never_whole(size, data):
    records = in_records(HELLO[5:], max(size, len(HELLO) // (RECORDS_MOST - 1)))
    cut = data.draw(st.integers(0, len(records) - 1))
    assert missing_bytes(records[:cut]) >= 1


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1",
        b"\x15\x03\x01\x00\x02",  # an alert
        b"\x16\x03\x01\xff\xff",  # a record beyond its bound
        b"\x16\x03\x01\x00\x01\x02",  # another message than ClientHello
        b"\x16\x03\x01\x40\x00\x01\xff\xff\xff",  # a message beyond its bound
        b"\x16\x03\x01\x40\x00\x01\x00\x2f\x00" + bytes(PEEKED_BYTES - 9),  # all that is looked at
    ],
)
def test_what_openssl_refuses_waits_for_nothing(data):
    assert missing_bytes(data) == 0


@pytest.mark.parametrize("records", [in_records(HELLO[5:], 1), b"\x16\x03\x01\x00\x00" * 9])
def test_too_many_records_are_refused(records):
    with pytest.raises(RecordsExceeded):
        missing_bytes(records)
