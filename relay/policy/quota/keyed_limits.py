"""Rate limits by key, with a bounded number of keys."""

import heapq
from typing import Final, TypeVar

from relay.policy.quota.bucket import Bucket
from relay.policy.settings.scalars import Rate

MAX_KEYS: Final = 100_000
"""Keys of logins."""
MAX_PEERS: Final = 4096
"""Addresses and certificates of callers."""

K = TypeVar("K", str, bytes)


class KeyedRateLimiter:
    """Rate limits by key (GCRA). Keys should be keyed digests, so that nothing readable is stored.

    Call `get_wait_s` and then `take` before an attempt, so that concurrent attempts are all counted. `give_back`
    takes back the count of an attempt that succeeded or was not made.
    """

    def __init__(self, rate: Rate, max_keys: int = MAX_KEYS) -> None:
        self._bucket = Bucket.of(rate)
        self._max_keys = max_keys
        self._next_at: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._next_at)

    def get_wait_s(self, key: bytes, now: float) -> float:
        """Returns the seconds until the next attempt is allowed; 0.0 if it is allowed now."""
        return self._bucket.get_wait_s(self._next_at.get(key, 0.0), now)

    def take(self, key: bytes, now: float) -> None:
        """Counts an allowed attempt."""
        next_at = self._bucket.advance(self._next_at.get(key, 0.0), now)
        store_next_at(self._next_at, key, next_at, now, max_keys=self._max_keys)

    def give_back(self, key: bytes) -> None:
        """Takes back the count of one attempt."""
        next_at = self._next_at.get(key)
        if next_at is not None:
            self._next_at[key] = next_at - self._bucket.interval


def store_next_at(next_times: dict[K, float], key: K, next_at: float, now: float, *, max_keys: int = MAX_PEERS) -> None:
    """Stores `next_at` of a key in a dict of at most `max_keys` keys.

    If there are too many, delete keys with full buckets, and at least the tenth with the fewest requests. A deleted
    key has a full bucket again. So these keys gain the least by it, and a key at its limit stays.
    """
    if key not in next_times and len(next_times) >= max_keys:
        # PERF: a tenth at a time, 0.6 ms of 4096 keys. Deleting only full buckets costs 0.15 ms for each new key when
        # one becomes full for each.
        tenth = max(1, max_keys // 10)
        evicted = [other for other, until in next_times.items() if until <= now]
        if len(evicted) < tenth:
            evicted = heapq.nsmallest(tenth, next_times, key=next_times.__getitem__)
        for other in evicted:
            del next_times[other]
    next_times[key] = next_at
