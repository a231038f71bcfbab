"""Rate limits that count calls: each meter is one limit in one process (GCRA, see `bucket`)."""

from relay.policy.quota.bucket import Bucket
from relay.policy.quota.limits import Limit


class Meter:
    """Counts the calls of one limit; `share` is the part of the rate that this process may use."""

    __slots__ = ("_bucket", "interval", "limit", "next_at", "tolerance")

    def __init__(self, limit: Limit, share: float = 1.0) -> None:
        self.limit = limit
        self.next_at = 0.0
        self._set_bucket(limit, share)

    def adjust(self, limit: Limit, now: float, share: float = 1.0) -> None:
        """Applies a new rate. Counted calls stay counted, as calls: a raised rate applies at once."""
        debt = self.get_debt(now)
        self.limit = limit
        self._set_bucket(limit, share)
        self.next_at = now + debt * self.interval

    def _set_bucket(self, limit: Limit, share: float) -> None:
        self._bucket = bucket = Bucket.of_share(limit.rate, share)
        self.interval = bucket.interval
        self.tolerance = bucket.tolerance

    def get_debt(self, now: float) -> float:
        """Returns how many counted calls the rate has not yet paid off."""
        return max(0.0, self.next_at - now) / self.interval

    def add_debt(self, calls: float, now: float) -> None:
        """Counts calls that were made elsewhere, whether allowed or not."""
        self.next_at = max(now, self.next_at) + calls * self.interval

    def limit_debt(self, now: float, share: float) -> None:
        """Keeps no more calls counted than the part `share` of the burst."""
        most = max(1.0, self.limit.rate.burst * share)
        self.next_at = now + min(most, self.get_debt(now)) * self.interval

    def get_wait_s(self, now: float) -> float:
        """Returns the seconds until a call is allowed; 0.0 if it is allowed now."""
        return self._bucket.get_wait_s(self.next_at, now)
