"""Merging and splitting batches changes no figure."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.statistics import Batch, Line, Pulse
from relay.policy.statistics.batches import combine_pulses, merge_batches, split_batches

LINES = [Line("20261122", "00", f"ZBAA{at:06}", "ZOPA000001", "SVC1", "2", "BA01", "200_00000") for at in range(7)]
COUNTS = st.dictionaries(st.sampled_from(LINES), st.integers(1, 1000))
EVENTS = st.lists(st.tuples(st.integers(1, 50), st.booleans()))


def ids():
    numbers = itertools.count()
    return lambda: f"batch-{next(numbers)}"


def pulse_of(events):
    """Returns the pulse of events (moment, whether the institution answered)."""
    pulse = Pulse(0, 0, 0)
    for at, well in sorted(events, key=lambda event: event[0]):
        pulse = Pulse(at, pulse.failed_at, 0) if well else Pulse(pulse.answered_at, at, pulse.failures + 1)
    return pulse


@given(st.lists(COUNTS), st.integers(1, 9))
def test_merged_and_split_batches_add_up_to_the_same(parts, most):
    counts, _ = merge_batches(Batch(str(at), part) for at, part in enumerate(parts))
    cut = list(split_batches(counts, {}, most, ids()))
    assert all(1 <= len(batch.counts) <= most for batch in cut)
    assert len({batch.batch_id for batch in cut}) == len(cut)
    assert sum((Counter(batch.counts) for batch in cut), Counter()) == sum(map(Counter, parts), Counter())


@given(EVENTS, EVENTS)
def test_combined_pulses_equal_the_pulse_of_all_events(first, second):
    later = [(at + 100, well) for at, well in second]
    joined = (
        pulse_of(later) if not first else combine_pulses(pulse_of(first), pulse_of(later)) if later else pulse_of(first)
    )
    assert joined == pulse_of([*first, *later])


def test_the_first_part_has_the_pulses():
    beat = {"ZBAA000001": Pulse(1, 0, 0)}
    assert [batch.pulses for batch in split_batches(dict.fromkeys(LINES, 1), beat, 3, ids())] == [beat, {}, {}]


@pytest.mark.parametrize(("counts", "pulses", "count"), [({}, {}, 0), ({}, {"a": Pulse(1, 0, 0)}, 1)])
def test_without_counts_and_pulses_there_is_no_batch(counts, pulses, count):
    assert len(list(split_batches(counts, pulses, 3, ids()))) == count


def test_a_first_pulse_stays_as_it_is():
    assert combine_pulses(None, Pulse(0, 5, 2)) == Pulse(0, 5, 2)
