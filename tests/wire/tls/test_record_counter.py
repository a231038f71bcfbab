import pytest

from relay.wire.tls.record_counter import RecordCounter


@pytest.mark.parametrize("cut", [1, 2, 4, 5, 6, 11, 100])
def test_each_record_is_counted_once_in_any_segments(cut):
    data = b"".join(b"\x17\x03\x03" + size.to_bytes(2) + b"z" * size for size in (1, 300, 0, 5, 6))
    counter = RecordCounter()
    assert sum(counter.count(data[at : at + cut]) for at in range(0, len(data), cut)) == 5
