import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.policy.quota.digest_set import DigestSet

PREFIX = b"\1\2"


def build_digests(count, seed=1):
    return [random.Random(seed * 1_000_003 + number).randbytes(16) for number in range(count)]


def test_a_set_contains_what_was_added_and_nothing_else():
    digests, added = build_digests(4000), DigestSet()
    for digest in digests[:2000] * 2:
        added.add(digest)
    assert [digest in added for digest in digests] == [True] * 2000 + [False] * 2000
    assert len(added) == 2000


@given(st.lists(st.binary(min_size=14, max_size=14).map(lambda rest: PREFIX + rest.translate(bytes([1, 2]) * 128))))
def test_digests_of_one_bucket_are_told_apart(digests):
    added, expected = DigestSet(), set()
    for digest in digests:
        assert (digest in added) == (digest in expected)
        added.add(digest)
        expected.add(digest)
    assert len(added) == len(expected)
    assert all(digest in added for digest in digests)


def test_the_end_of_one_digest_and_the_begin_of_another_is_none():
    added = DigestSet()
    added.add(PREFIX + bytes(range(14)))
    added.add(PREFIX + bytes(range(14, 28)))
    across = PREFIX + bytes(range(7, 21))
    assert across not in added
    added.add(across)
    assert across in added


@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_digest_of_another_length_is_refused(length):
    with pytest.raises(ValueError, match="16 bytes"):
        DigestSet().add(bytes(length))


def test_a_set_is_removed_in_parts():
    added = DigestSet()
    for digest in build_digests(100):
        added.add(digest)
    rounds = 1
    while not added.shrink(10):
        rounds += 1
    assert 9 <= rounds <= 10
