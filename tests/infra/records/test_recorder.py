import pytest

from relay.domain.exchange import Exchange
from relay.infra.records.recorder import Records


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
    exchanges = [Exchange(0.0, float(number)) for number in range(3)]
    for exchange in exchanges:
        records.record(exchange)
    assert (settled.counted, len(settled.later)) == ([], 1)
    settled.later.pop()()
    assert settled.counted == settled.written == exchanges


def test_many_are_not_kept_waiting(settled):
    records = Records(settled, settled, settled)
    for number in range(256):
        records.record(Exchange(0.0, float(number)))
    assert len(settled.counted) == 256
    settled.later.pop()()
    assert len(settled.written) == 256


def test_statistics_are_counted_before_records_are_written_because_they_complete_them(settled):
    class Tally:
        def count(self, closed):
            settled.counted.append("tally")
            for exchange in closed:
                exchange.client_id = "SVC1"

    records = Records(settled, settled, settled, Tally())
    exchange = Exchange(0.0, 0.0)
    records.record(exchange)
    records.settle()
    assert (settled.counted, settled.written, exchange.client_id) == (["tally", exchange], [exchange], "SVC1")


def test_each_exchange_is_settled_once(settled):
    records = Records(settled, settled, settled)
    exchanges = [Exchange(0.0, 0.0), Exchange(0.0, 1.0)]
    records.record(exchanges[0])
    records.settle()
    records.record(exchanges[1])
    for call in settled.later:
        call()
    assert settled.written == exchanges


def test_a_flood_of_refusals_is_summed_in_records_and_counted_whole(settled):
    records = Records(settled, settled, settled)
    for _ in range(1000):
        exchange = Exchange(0.0, 100.0)
        exchange.reason = "token_missing"
        records.record(exchange)
    records.close()
    assert (len(settled.counted), sum(one.repeated for one in settled.written)) == (1000, 1000)
    assert len(settled.written) < 30
    while settled.later:
        settled.later.pop()()
    assert sum(one.repeated for one in settled.written) == 1000
