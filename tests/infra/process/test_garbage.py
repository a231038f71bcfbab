"""Survivors are frozen while there is no garbage, collections stay short, and frozen objects are freed."""

import gc
import sys
import threading
import weakref

import pytest

from relay.infra.process.garbage import (
    COLLECT_FROM,
    FREEZE_AFTER_S,
    FREEZE_FROM,
    FREEZE_GROWTH,
    YOUNG_THRESHOLD,
    GarbageCollection,
    Step,
    choose_step,
    count_old_objects,
)


class Item:
    """An object that the collector follows."""


class Collections(list):
    """The generations that were collected."""

    def __call__(self, phase, info):
        if phase == "start":
            self.append(info["generation"])


@pytest.fixture
def garbage():
    thresholds = gc.get_threshold()
    gc.freeze()  # collections are to pass over the objects of the suite, here and in later tests
    collection = GarbageCollection()
    collection.start()
    yield collection
    gc.set_threshold(*thresholds)


@pytest.fixture
def collections(garbage):
    counted = Collections()
    gc.callbacks.append(counted)
    yield counted
    gc.callbacks.remove(counted)


def make_cycles(count):
    items = [Item() for _ in range(count)]
    for item in items:
        item.itself = item
    return items


@pytest.mark.parametrize(
    ("old", "before", "kept", "waited_s", "step"),
    [
        (0, 0, 0, 1e9, Step.NOTHING),
        (COLLECT_FROM - 1, 0, 0, 1e9, Step.NOTHING),
        (COLLECT_FROM, 0, 0, 0.0, Step.COLLECT),
        (2 * COLLECT_FROM - 1, COLLECT_FROM, COLLECT_FROM, 0.0, Step.NOTHING),
        (2 * COLLECT_FROM, COLLECT_FROM, COLLECT_FROM, FREEZE_AFTER_S - 1, Step.COLLECT),
        (FREEZE_FROM, FREEZE_FROM, FREEZE_FROM, FREEZE_AFTER_S, Step.COLLECT_AND_FREEZE),
        (FREEZE_FROM, FREEZE_FROM, FREEZE_FROM - 1, FREEZE_AFTER_S, Step.NOTHING),
        (FREEZE_GROWTH, 0, 0, 0.0, Step.COLLECT),
        (FREEZE_GROWTH + 1, 0, 0, 0.0, Step.FREEZE),
    ],
)
def test_the_oldest_generation_decides(old, before, kept, waited_s, step):
    assert choose_step(old, before, kept, waited_s) is step


def test_survivors_are_frozen_after_a_time_without_garbage(garbage):
    items = [Item() for _ in range(COLLECT_FROM)]
    gc.collect(1)
    for now in (0.0, 10.0, 29.0):
        garbage.tick(1000.0 + now)
        assert len(gc.get_objects()) > COLLECT_FROM
    garbage.tick(1000.0 + FREEZE_AFTER_S)
    assert len(gc.get_objects()) < FREEZE_FROM
    assert len(items) == COLLECT_FROM


def test_slow_growth_is_frozen_again_and_again(garbage):
    items, most, before = [], 0, gc.get_freeze_count()
    for tick in range(2000):
        items += [Item() for _ in range(20)]
        garbage.tick(1000.0 + tick / 10)
        most = max(most, len(gc.get_objects()))
    assert most < 2 * 20 * 10 * 2 * FREEZE_AFTER_S + COLLECT_FROM + 3 * YOUNG_THRESHOLD
    assert gc.get_freeze_count() - before > len(items) / 2


def test_the_oldest_generation_is_collected_by_ticks_alone(garbage, collections):
    items = [Item() for _ in range(COLLECT_FROM + 3 * YOUNG_THRESHOLD)]
    assert set(collections) == {0, 1}
    garbage.tick(1000.0)
    assert collections[-1] == 2
    assert len(items) == COLLECT_FROM + 3 * YOUNG_THRESHOLD


def test_very_many_objects_at_once_are_frozen_without_a_look(garbage, collections):
    items = [Item() for _ in range(3 * FREEZE_GROWTH)]
    garbage.tick(1000.0)
    assert set(collections) == {0, 1}
    assert len(gc.get_objects()) < 6 * YOUNG_THRESHOLD
    assert len(items) == 3 * FREEZE_GROWTH


def test_few_survivors_stay_with_the_collector(garbage, collections):
    items = [Item() for _ in range(FREEZE_FROM // 4)]
    gc.collect(1)
    collections.clear()
    before = gc.get_freeze_count()
    for now in range(100):
        garbage.tick(1000.0 + now)
    assert (collections, gc.get_freeze_count()) == ([], before)
    assert len(items) == FREEZE_FROM // 4


def test_cycles_that_live_for_seconds_are_freed(garbage):
    """Requests that fail after 3 s, as those of a ledger that does not answer, do not get lost."""
    waiting, references = [], []
    for tick in range(1000):
        waiting.append(make_cycles(20))
        references += map(weakref.ref, waiting[-1])
        del waiting[:-30]
        garbage.tick(1000.0 + tick / 10)
    waiting.clear()
    gc.collect()
    assert sum(reference() is not None for reference in references) == 0


def test_frozen_objects_are_freed_with_their_last_reference(garbage):
    item = Item()
    reference = weakref.ref(item)
    gc.freeze()
    del item
    assert reference() is None


def test_counting_does_not_disturb_tuples_that_other_threads_build():
    kept = [[] for _ in range(50_000)]  # so that counting takes long enough to be interrupted
    stopped, errors = threading.Event(), []

    def count_up():
        for number in range(200):
            if number == 5:
                gc.collect(1)  # moves the tuple, which is not complete, to the oldest generation
            yield number

    def build():
        try:
            for _ in range(200):
                tuple(count_up())
        except SystemError as error:
            errors.append(error)
        stopped.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread = threading.Thread(target=build)
        thread.start()
        while not stopped.is_set():
            count_old_objects()
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert (errors, len(kept)) == ([], 50_000)
