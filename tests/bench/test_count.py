"""What counting costs is measured on work that counts."""

import count


def test_both_ways_of_settling_are_measured_and_the_difference_is_that_of_pairs(monkeypatch):
    monkeypatch.setattr(count, "ROUNDS", 3)
    monkeypatch.setattr(count, "REPEATS", 1)
    found = count.measured()
    assert set(found) == {"without", "with", "counting"}
    assert found["with"] > 0


def test_its_exchanges_are_counted(tmp_path, monkeypatch):
    tallied = []
    monkeypatch.setattr(count, "Records", lambda *parts: tallied.append(parts[-1]))
    count.records(tmp_path, None, counting=True)
    closed = count.mixed(count.Random(1))
    tallied[0].count(closed)
    assert (tallied[0].waiting, tallied[0].unattributed) == (count.TOGETHER, 0)
