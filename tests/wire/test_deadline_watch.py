import math

from relay.wire.deadline_watch import DeadlineWatch


class Timed:
    def __init__(self, deadline):
        self.deadline = deadline
        self.calls = []

    def handle_timeout(self, now):
        self.calls.append(now)


def test_a_passed_deadline_is_reported_at_each_tick_until_it_moves():
    watch, timed = DeadlineWatch(), Timed(5.0)
    watch.add(timed)
    for now in (4.9, 5.0, 6.0):
        watch.tick(now)
    assert timed.calls == [5.0, 6.0]
    timed.deadline = math.inf
    watch.tick(1e9)
    assert timed.calls == [5.0, 6.0]


def test_a_discarded_object_is_not_called():
    watch, timed = DeadlineWatch(), Timed(5.0)
    watch.add(timed)
    watch.add(timed)
    assert len(watch) == 1
    watch.discard(timed)
    watch.discard(timed)
    watch.tick(6.0)
    assert (timed.calls, len(watch)) == ([], 0)


def test_a_called_object_may_discard_itself_and_add_others():
    watch, late = DeadlineWatch(), Timed(0.0)

    class Leaving(Timed):
        def handle_timeout(self, now):
            super().handle_timeout(now)
            watch.discard(self)
            watch.add(late)

    leaving = [Leaving(1.0), Leaving(1.0)]
    for timed in leaving:
        watch.add(timed)
    watch.tick(1.0)
    assert [timed.calls for timed in leaving] == [[1.0], [1.0]]
    assert (len(watch), late.calls) == (1, [])
