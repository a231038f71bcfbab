import ssl

import pytest

from relay.wire.tls.bounded_input import MAX_EMPTY_RECORDS, RECORD_BYTES, SLICE_BYTES, BoundedInput
from relay.wire.tls.errors import RecordsExceeded

RECORD = b"\x17\x03\x03\x00\x03abc"


class Setup:
    """An input whose OpenSSL takes all bytes of a slice and returns data for every second record."""

    def __init__(self):
        self.received, self.part = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.sizes, self.asked, self.has_data = [], [], True
        self.input = BoundedInput(self.received, self.part, self.read_data, lambda: 7)

    def read_data(self, size, *_buffer):
        taken = self.part.read()
        self.asked.append(size)
        self.sizes.append(len(taken))
        if not taken or not self.has_data:
            raise ssl.SSLWantReadError
        return taken[:size]


@pytest.fixture
def setup():
    return Setup()


def test_received_bytes_reach_openssl_in_slices(setup):
    setup.received.write(b"\x17\x03\x03\xff\xff" + b"a" * (2 * SLICE_BYTES - 5))
    assert [len(setup.input.read(100_000)) for _ in range(2)] == [SLICE_BYTES, SLICE_BYTES]
    assert setup.sizes == [SLICE_BYTES, SLICE_BYTES]


def test_a_read_asks_for_one_record_at_most(setup):
    setup.received.write(RECORD)
    setup.input.read(256 * 1024)
    setup.received.write(RECORD)
    setup.input.read(256 * 1024, bytearray(8))
    assert setup.asked == [RECORD_BYTES, 256 * 1024]


def test_without_received_bytes_reading_must_wait(setup):
    with pytest.raises(ssl.SSLWantReadError):
        setup.input.read(100)


def test_data_and_bytes_not_yet_read_are_pending(setup):
    setup.part.write(b"abc")
    assert setup.input.pending() == 10


def test_records_without_data_are_limited(setup):
    setup.has_data = False
    setup.received.write(RECORD * 2000)
    with pytest.raises(RecordsExceeded, match="records without data"):
        setup.input.read(100)
    assert setup.sizes == [SLICE_BYTES]


def test_records_with_data_are_not_limited(setup):
    for _ in range(10 * MAX_EMPTY_RECORDS):
        setup.received.write(RECORD)
        assert setup.input.read(100) == RECORD


def test_records_of_a_handshake_are_not_counted(setup):
    setup.received.write(RECORD * 1500)
    while setup.input.hand_over_handshake():
        pass
    setup.received.write(RECORD)
    assert setup.input.hand_over() == len(RECORD)


def test_bytes_beyond_a_limit_are_refused(setup):
    setup.input.limit(20)
    setup.received.write(RECORD * 2)
    assert setup.input.hand_over() == 16
    setup.received.write(RECORD)
    with pytest.raises(RecordsExceeded, match="too much data after the end"):
        setup.input.hand_over()
