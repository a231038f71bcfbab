"""A bounded cache whose look-ups cost one or two dict look-ups, and whose growth never stops the caller for long."""

import asyncio
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from relay.primitives.untracked import untrack

K = TypeVar("K")
V = TypeVar("V")

ITEMS_PER_SHARD: Final = 2048
"""Items of one shard at most.

PERF: a dict of 350,000 items stops its caller for 20 ms when it grows, and 500,000 dropped items for 100 ms and more.
With shards of this size both take less than 1 ms.
"""


class TwoGenerationCache(Generic[K, V]):
    """Holds at most `max_items` items in shards of two generations each. A number below 2 counts as 2.

    The hash of a key selects its shard. When the young generation of a shard is full it becomes the old one, whose
    unused items are dropped. An item that is found in the old generation moves to the young one. Values are never None.

    With `untracked`, the garbage collector never looks at keys, values and dicts: see `untrack` for what they may be.

    PERF: `young` and `mask` are public for callers to whom a method call (0.05 us) matters: look the key up in
    `young[hash(key) & mask]`, then call `get`. The list `young` stays the same, its dicts change.
    """

    __slots__ = ("_half", "_old", "_untracked", "mask", "young")

    def __init__(self, max_items: int, *, untracked: bool = False) -> None:
        shards = 1
        while shards * ITEMS_PER_SHARD < max_items:
            shards *= 2
        self._untracked = untracked
        self.mask = shards - 1
        self._half = max(1, max_items // (2 * shards))
        self.young: list[dict[K, V]] = [{} for _ in range(shards)]
        self._old: list[dict[K, V]] = [{} for _ in range(shards)]

    def __len__(self) -> int:
        return sum(map(len, self.young)) + sum(map(len, self._old))

    def get(self, key: K) -> V | None:
        """Returns the item of a key and keeps it young, or None."""
        shard = hash(key) & self.mask
        value = self.young[shard].get(key)
        if value is None:
            value = self._old[shard].get(key)
            if value is not None:
                self.put(key, value)
        return value

    def peek(self, key: K) -> V | None:
        """Returns the item of a key without keeping it young, or None."""
        shard = hash(key) & self.mask
        value = self.young[shard].get(key)
        return self._old[shard].get(key) if value is None else value

    def put(self, key: K, value: V) -> None:
        """Adds or replaces the item of a key."""
        shard = hash(key) & self.mask
        young = self.young[shard]
        self._old[shard].pop(key, None)
        if len(young) >= self._half:
            self._old[shard] = young
            young = self.young[shard] = {}
        young[key] = value
        if self._untracked:
            untrack(value)
            untrack(young)  # each new value makes it tracked again

    def remove(self, key: K) -> None:
        """Removes the item of a key, if any."""
        shard = hash(key) & self.mask
        self.young[shard].pop(key, None)
        self._old[shard].pop(key, None)

    def clear(self) -> None:
        """Removes all items."""
        for generation in (self.young, self._old):
            generation[:] = [{} for _ in generation]

    async def clear_slowly(self) -> None:
        """Removes all items, those of one shard in each turn of the event loop."""
        for generation in (self.young, self._old):
            for shard in range(len(generation)):
                generation[shard] = {}
                await asyncio.sleep(0)

    def values(self) -> Iterator[V]:
        """Yields all items."""
        for shard in (*self.young, *self._old):
            yield from shard.values()
