"""Tests of the measurement of counting."""

import count


def test_settling_is_measured_with_and_without_counting(monkeypatch):
    monkeypatch.setattr(count, "ROUNDS", 3)
    monkeypatch.setattr(count, "REPEATS", 1)
    figures = count.measure()
    assert set(figures) == {"without", "with", "counting"}
    assert figures["with"] > 0


def test_its_exchanges_are_counted(tmp_path, monkeypatch):
    counters = []
    monkeypatch.setattr(count, "ExchangeRecorder", lambda *parts: counters.append(parts[-1]))
    count.records(tmp_path, None, counting=True)
    closed = count.mixed(count.Random(1))
    counters[0].count(closed)
    assert (counters[0].waiting, counters[0].unattributed) == (count.TOGETHER, 0)
