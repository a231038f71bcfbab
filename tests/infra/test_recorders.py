import pytest

from relay.infra.recorders import Records


class Settled:
    """A metrics and a log that note what they get, and a loop that waits to be told."""

    def __init__(self):
        self.counted, self.written, self.later = [], [], []

    def record(self, exchange):
        self.counted.append(exchange)

    def write(self, exchanges):
        self.written += exchanges

    def call_later(self, _seconds, call):
        self.later.append(call)


@pytest.fixture
def settled():
    return Settled()


def test_exchanges_are_counted_and_written_together_a_moment_later(settled):
    records = Records(settled, settled, settled)
    for number in range(3):
        records.record(number)
    assert (settled.counted, len(settled.later)) == ([], 1)
    settled.later.pop()()
    assert settled.counted == settled.written == [0, 1, 2]


def test_many_are_not_kept_waiting(settled):
    records = Records(settled, settled, settled)
    for number in range(256):
        records.record(number)
    assert len(settled.counted) == 256
    settled.later.pop()()
    assert len(settled.written) == 256


def test_statistics_are_counted_before_records_are_written_because_they_complete_them(settled):
    class Tally:
        def count(self, closed):
            settled.counted.append("tally")
            closed[:] = [f"{one} of SVC1" for one in closed]

    records = Records(settled, settled, settled, Tally())
    records.record("call")
    records.settle()
    assert (settled.counted, settled.written) == (["tally", "call of SVC1"], ["call of SVC1"])


def test_each_exchange_is_settled_once(settled):
    records = Records(settled, settled, settled)
    records.record(1)
    records.settle()
    records.record(2)
    for call in settled.later:
        call()
    assert settled.written == [1, 2]
