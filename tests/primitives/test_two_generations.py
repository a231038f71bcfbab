"""The cache keeps used items and never more than its limit."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.primitives.two_generations import ITEMS_PER_SHARD, TwoGenerationCache


def fill(cache, keys):
    for key in keys:
        cache.put(key, str(key))


@given(st.integers(2, 9), st.lists(st.tuples(st.booleans(), st.integers(0, 20))))
def test_the_cache_holds_at_most_its_limit_and_only_what_was_put(limit, steps):
    cache, known = TwoGenerationCache(limit), {}
    for number, (is_put, key) in enumerate(steps):
        if is_put:
            cache.put(key, number + 1)
            known[key] = number + 1
        assert cache.peek(key) in {None, known.get(key)}
        assert cache.get(key) in {None, known.get(key)}
        assert len(list(cache.values())) == len(cache) <= limit


def test_an_item_in_use_is_kept():
    cache = TwoGenerationCache(4)
    cache.put("used", "value")
    for number in range(50):
        assert cache.get("used") == "value"
        cache.put(number, "other")


def test_an_unused_item_is_dropped_and_peeking_is_no_use():
    cache = TwoGenerationCache(4)
    fill(cache, [1, 2, 3])
    assert cache.peek(1) == "1"
    fill(cache, [4, 5])
    assert cache.peek(1) is None


@pytest.mark.parametrize("others", [[], [2, 3]])
def test_a_removed_item_is_gone_from_both_generations(others):
    cache = TwoGenerationCache(4)
    fill(cache, [1, *others])
    cache.remove(1)
    cache.remove("unknown")
    assert cache.get(1) is None
    assert len(cache) == len(others)


def test_a_cleared_cache_is_empty():
    cache = TwoGenerationCache(4)
    fill(cache, range(4))
    cache.clear()
    assert (len(cache), list(cache.values())) == (0, [])


def test_an_item_is_replaced_in_the_old_generation_too():
    cache = TwoGenerationCache(4)
    fill(cache, [1, 2, 3])
    cache.put(1, "new")
    assert sorted(cache.values()) == ["2", "3", "new"]


def test_the_smallest_cache_holds_two_items():
    cache = TwoGenerationCache(1)
    fill(cache, range(3))
    assert [cache.peek(key) for key in range(3)] == [None, "1", "2"]


def test_no_dict_is_larger_than_a_shard():
    cache = TwoGenerationCache(20 * ITEMS_PER_SHARD)
    generations = set()
    for number in range(50 * ITEMS_PER_SHARD):
        cache.put(str(number), number)
        generations.add(len(cache.young[hash(str(number)) & cache.mask]))
    assert max(generations) <= ITEMS_PER_SHARD // 2
    assert 10 * ITEMS_PER_SHARD <= len(cache) <= 20 * ITEMS_PER_SHARD


def test_items_of_many_shards_are_found_and_removed():
    cache = TwoGenerationCache(4 * ITEMS_PER_SHARD)
    keys = [str(number) for number in range(ITEMS_PER_SHARD)]
    fill(cache, keys)
    assert [cache.get(key) for key in keys] == keys == [cache.peek(key) for key in keys]
    assert [cache.young[hash(key) & cache.mask].get(key) for key in keys] == keys
    for key in keys[1:]:
        cache.remove(key)
    assert list(cache.values()) == ["0"]


def test_the_list_of_young_dicts_stays_the_same():
    cache = TwoGenerationCache(4)
    young = cache.young
    fill(cache, range(9))
    cache.clear()
    fill(cache, [10])
    assert young is cache.young
    assert young[10 & cache.mask] == {10: "10"}


async def test_a_cache_is_cleared_in_many_turns():
    cache = TwoGenerationCache(4 * ITEMS_PER_SHARD)
    fill(cache, range(4 * ITEMS_PER_SHARD))
    lengths, clearing = [len(cache)], asyncio.ensure_future(cache.clear_slowly())
    while not clearing.done():
        await asyncio.sleep(0)
        lengths.append(len(cache))
    assert lengths[-1] == 0
    assert max(before - after for before, after in itertools.pairwise(lengths)) <= ITEMS_PER_SHARD // 2
