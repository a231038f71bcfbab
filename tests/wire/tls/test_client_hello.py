import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.wire.tls.client_hello import MAX_RECORDS, PEEKED_BYTES, missing_bytes
from relay.wire.tls.errors import RecordsExceeded


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="relay.example")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


HELLO = client_hello()


def split_into_records(message, size):
    """Return the handshake message in records of `size` bytes."""
    parts = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in parts)


@pytest.mark.parametrize("data", [HELLO, HELLO + b"x", split_into_records(HELLO[5:], 100)])
def test_a_whole_client_hello_misses_no_bytes(data):
    assert missing_bytes(data) == 0


@given(st.integers(0, len(HELLO) - 1))
def test_a_part_misses_at_most_its_rest(size):
    assert 1 <= missing_bytes(HELLO[:size]) <= len(HELLO) - size or size < 5


@given(st.integers(40, 600), st.data())
def test_a_part_in_several_records_is_never_whole(size, data):
    records = split_into_records(HELLO[5:], max(size, len(HELLO) // (MAX_RECORDS - 1)))
    cut = data.draw(st.integers(0, len(records) - 1))
    assert missing_bytes(records[:cut]) >= 1


def test_a_part_that_ends_with_a_record_misses_the_next_header():
    assert missing_bytes(split_into_records(HELLO[5:], 100)[:105]) == 5


def test_a_whole_message_in_a_part_of_its_record_misses_the_rest():
    record = b"\x16\x03\x01" + (len(HELLO) - 5 + 100).to_bytes(2) + HELLO[5:]
    assert missing_bytes(record) == 100


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1",
        b"\x15\x03\x01\x00\x02",  # an alert
        b"\x16\x03\x01\x00\x01\x02",  # another message than ClientHello
    ],
)
def test_messages_that_openssl_refuses_miss_no_bytes(data):
    assert missing_bytes(data) == 0


def test_records_of_512_bytes_up_to_the_limit_are_accepted():
    size = PEEKED_BYTES - 5 * (PEEKED_BYTES // 512 + 1) - 4
    assert missing_bytes(split_into_records(b"\x01" + size.to_bytes(3) + bytes(size), 512)) == 0


@pytest.mark.parametrize(
    "records",
    [
        split_into_records(HELLO[5:], 1),
        b"\x16\x03\x01\x00\x00" * (MAX_RECORDS + 1),
        b"\x16\x03\x01\xff\xff",  # a record that OpenSSL refuses
        b"\x16\x03\x01" + PEEKED_BYTES.to_bytes(2),  # a record longer than the inspected bytes
        split_into_records(b"\x01\x00\x40\x00" + bytes(PEEKED_BYTES), 1024),
    ],
)
def test_too_many_records_or_bytes_are_refused(records):
    with pytest.raises(RecordsExceeded):
        missing_bytes(records)
