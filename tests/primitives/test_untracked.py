"""Untracked objects are unknown to the collector and freed by their reference count."""

import gc
import weakref
from dataclasses import dataclass

import pytest

from relay.primitives.untracked import untrack


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Value:
    text: str
    number: int


def test_an_untracked_object_is_unknown_to_the_collector():
    value = Value("text", 1)
    assert gc.is_tracked(value)
    untrack(value)
    untrack(value)
    assert not gc.is_tracked(value)
    assert not any(item is value for item in gc.get_objects())
    assert value == Value("text", 1)


def test_an_untracked_object_is_freed_with_its_last_reference():
    value = Value("text", 1)
    untrack(value)
    reference = weakref.ref(value)
    gc.collect()
    assert reference() is value
    del value
    assert reference() is None


def test_a_dict_is_tracked_again_by_the_next_value():
    values = {1: Value("one", 1)}
    untrack(values)
    assert not gc.is_tracked(values)
    values[2] = Value("two", 2)
    assert gc.is_tracked(values)


@pytest.mark.parametrize("item", [1, "text", b"bytes", 1.0, None, (), Value])
def test_an_object_that_cannot_be_tracked_stays_as_it_is(item):
    before = repr(item)
    untrack(item)
    assert repr(item) == before


def test_collections_work_beside_untracked_objects():
    shared = frozenset({"a", "b"})
    values = {number: (Value(str(number), number), shared) for number in range(1000)}
    for value, _ in values.values():
        untrack(value)
    untrack(values)
    gc.collect()
    assert all(value.number == number for number, (value, _) in values.items())
