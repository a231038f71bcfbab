"""Deadlines: whose has passed is told, at every tick, until it moves or leaves."""

import math

from relay.wire.watch import Watch


class One:
    def __init__(self, deadline):
        self.deadline = deadline
        self.told = []

    def overdue(self, now):
        self.told.append(now)


def test_who_is_overdue_is_told_at_each_tick_until_its_deadline_moves():
    watch, one = Watch(), One(5.0)
    watch.add(one)
    for now in (4.9, 5.0, 6.0):
        watch.tick(now)
    assert one.told == [5.0, 6.0]
    one.deadline = math.inf
    watch.tick(1e9)
    assert one.told == [5.0, 6.0]


def test_who_left_is_told_nothing():
    watch, one = Watch(), One(5.0)
    watch.add(one)
    watch.add(one)
    assert len(watch) == 1
    watch.discard(one)
    watch.discard(one)
    watch.tick(6.0)
    assert (one.told, len(watch)) == ([], 0)


def test_who_is_told_may_leave_and_bring_others():
    watch, late = Watch(), One(0.0)

    class Leaving(One):
        def overdue(self, now):
            super().overdue(now)
            watch.discard(self)
            watch.add(late)

    leaving = [Leaving(1.0), Leaving(1.0)]
    for one in leaving:
        watch.add(one)
    watch.tick(1.0)
    assert [one.told for one in leaving] == [[1.0], [1.0]]
    assert (len(watch), late.told) == (1, [])
