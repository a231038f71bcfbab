import pytest

from relay.domain.exchange import Exchange
from relay.infra.records.recorder import BATCH, ExchangeRecorder


class Fakes:
    """Fake metrics, access log and loop that record their calls."""

    def __init__(self):
        self.counted, self.written, self.later = [], [], []

    def record(self, exchanges):
        self.counted += exchanges

    def write(self, exchanges):
        self.written += exchanges

    def call_later(self, _seconds, call):
        self.later.append(call)


@pytest.fixture
def fakes():
    return Fakes()


def test_exchanges_are_counted_and_written_together(fakes):
    records = ExchangeRecorder(fakes, fakes, fakes)
    exchanges = [Exchange(0.0, float(number)) for number in range(3)]
    for exchange in exchanges:
        records.record(exchange)
    assert (fakes.counted, len(fakes.later)) == ([], 1)
    fakes.later.pop()()
    assert fakes.counted == fakes.written == exchanges


def test_a_full_batch_is_written_at_once(fakes):
    records = ExchangeRecorder(fakes, fakes, fakes)
    exchanges = [Exchange(0.0, float(number)) for number in range(2 * BATCH + 1)]
    for number, exchange in enumerate(exchanges, 1):
        records.record(exchange)
        assert len(fakes.counted) == number // BATCH * BATCH
    fakes.later.pop()()
    assert fakes.counted == fakes.written == exchanges


def test_one_timer_at_a_time_is_set_however_many_batches_are_full(fakes):
    records = ExchangeRecorder(fakes, fakes, fakes)
    for number in range(5 * BATCH + 1):
        records.record(Exchange(0.0, float(number)))
    assert len(fakes.later) == 1
    fakes.later.pop()()
    assert (records.waiting, fakes.later) == (0, [])
    records.record(Exchange(0.0, 0.0))
    assert len(fakes.later) == 1


def test_statistics_complete_exchanges_before_they_are_written(fakes):
    class Counter:
        def count(self, closed):
            fakes.counted.append("counter")
            for exchange in closed:
                exchange.client_id = "SVC1"

    records = ExchangeRecorder(fakes, fakes, fakes, Counter())
    exchange = Exchange(0.0, 0.0)
    records.record(exchange)
    records.settle()
    assert (fakes.counted, fakes.written, exchange.client_id) == (["counter", exchange], [exchange], "SVC1")


def test_each_exchange_is_recorded_once(fakes):
    records = ExchangeRecorder(fakes, fakes, fakes)
    exchanges = [Exchange(0.0, 0.0), Exchange(0.0, 1.0)]
    records.record(exchanges[0])
    records.settle()
    records.record(exchanges[1])
    for call in fakes.later:
        call()
    assert fakes.written == exchanges


def test_repeated_refusals_are_summed_in_records_only(fakes):
    records = ExchangeRecorder(fakes, fakes, fakes)
    for _ in range(1000):
        exchange = Exchange(0.0, 100.0)
        exchange.reason = "token_missing"
        records.record(exchange)
    records.close()
    assert (len(fakes.counted), sum(exchange.repeated for exchange in fakes.written)) == (1000, 1000)
    assert len(fakes.written) < 30
    while fakes.later:
        fakes.later.pop()()
    assert sum(exchange.repeated for exchange in fakes.written) == 1000
