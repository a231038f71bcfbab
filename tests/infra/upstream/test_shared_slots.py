"""Slots that all gateways share, as limits of a pool."""

import pytest

from relay.infra.upstream.shared_slots import SharedSlots


class Pool:
    """Keeps the limits that it gets."""

    on_wait = None

    def __init__(self):
        self.limits = []

    def counts(self):
        return {"idle": 4, "flying": 2, "waiting": 3}

    def resize(self, *limits):
        self.limits.append(limits)


@pytest.fixture
def slots():
    return SharedSlots(Pool(), 8, 1)


def test_a_pool_begins_without_slots_and_says_when_calls_wait(slots):
    waits = []
    slots.share_slots(lambda: waits.append(1))
    slots.pool.on_wait()
    assert (slots.pool.limits, waits) == ([(0, 9)], [1])


@pytest.mark.parametrize(("held", "queue"), [(0, 9), (3, 6), (8, 1)])
def test_as_many_more_calls_may_wait_as_slots_are_missing(slots, held, queue):
    slots.set_slots(held)
    assert slots.pool.limits == [(held, queue)]


def test_calls_are_those_of_the_pool(slots):
    assert slots.count_calls() == (2, 3)
