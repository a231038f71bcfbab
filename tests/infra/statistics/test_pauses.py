import time

from relay.infra.statistics.pauses import PAUSE_S, with_pauses


def test_the_thread_pauses_after_each_item(monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    items = with_pauses(iter("ab"))
    assert (next(items), pauses) == ("a", [])
    assert (next(items), pauses) == ("b", [PAUSE_S])
    assert (list(items), pauses) == ([], [PAUSE_S] * 2)
