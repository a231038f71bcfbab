import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.policy.quota.mark_set import MarkSet

PREFIX = b"\1\2"


def build_marks(count, seed=1):
    return [random.Random(seed * 1_000_003 + number).randbytes(16) for number in range(count)]


def test_a_set_contains_what_was_added_and_nothing_else():
    marks, added = build_marks(4000), MarkSet()
    for mark in marks[:2000] * 2:
        added.add(mark)
    assert [mark in added for mark in marks] == [True] * 2000 + [False] * 2000
    assert len(added) == 2000


@given(st.lists(st.binary(min_size=14, max_size=14).map(lambda rest: PREFIX + rest.translate(bytes([1, 2]) * 128))))
def test_marks_of_one_bucket_are_told_apart(marks):
    added, expected = MarkSet(), set()
    for mark in marks:
        assert (mark in added) == (mark in expected)
        added.add(mark)
        expected.add(mark)
    assert len(added) == len(expected)
    assert all(mark in added for mark in marks)


def test_the_end_of_one_mark_and_the_begin_of_another_is_none():
    added = MarkSet()
    added.add(PREFIX + bytes(range(14)))
    added.add(PREFIX + bytes(range(14, 28)))
    across = PREFIX + bytes(range(7, 21))
    assert across not in added
    added.add(across)
    assert across in added


@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_mark_of_another_length_is_refused(length):
    with pytest.raises(ValueError, match="16 bytes"):
        MarkSet().add(bytes(length))


def test_a_set_is_removed_in_parts():
    added = MarkSet()
    for mark in build_marks(100):
        added.add(mark)
    rounds = 1
    while not added.shrink(10):
        rounds += 1
    assert 9 <= rounds <= 10
