"""How much was taken, in this process: GCRA per operator at a provider and per provider."""

from collections.abc import Mapping

from relay.domain.fault import FAULTS, Refusal
from relay.policy.quota import Bucket


class LocalCounters:
    """Counters in process memory. A refused request takes nothing from either bucket, so waiting always helps."""

    def __init__(self, operator_bucket: Bucket, provider_buckets: Mapping[str, Bucket]) -> None:
        self._operator_bucket = operator_bucket
        self._provider_buckets = dict(provider_buckets)
        self._at_provider: dict[str, float] = {}
        self._of_operator: dict[tuple[str, str], float] = {}

    def adjust(self, operator_bucket: Bucket, provider_buckets: Mapping[str, Bucket]) -> None:
        """Take over new rates; what was taken stays taken, a raised limit helps at once."""
        self._operator_bucket = operator_bucket
        self._provider_buckets = dict(provider_buckets)

    def take(self, operator: str, provider: str, now: float) -> None:
        """Take one request. Raises Refusal operator_rate or provider_rate (42901) with `retry_after` in seconds."""
        pair = (operator, provider)
        mine = self._of_operator.get(pair, 0.0)
        wait = self._operator_bucket.wait(mine, now)
        if wait:
            raise Refusal(FAULTS["operator_rate"], retry_after=wait)
        bucket = self._provider_buckets[provider]
        everyones = self._at_provider.get(provider, 0.0)
        wait = bucket.wait(everyones, now)
        if wait:
            raise Refusal(FAULTS["provider_rate"], retry_after=wait)
        self._of_operator[pair] = self._operator_bucket.taken(mine, now)
        self._at_provider[provider] = bucket.taken(everyones, now)
