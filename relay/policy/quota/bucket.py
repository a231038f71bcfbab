"""Rate limits by GCRA: a bucket is stored as one number, `next_at`, the theoretical time of the next request."""

from dataclasses import dataclass
from typing import Final, Self

from relay.policy.settings.scalars import Rate

_ROUNDING_S: Final = 1e-6
"""Seconds of tolerance, so that rounding never refuses the last request of a burst."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A rate limit: seconds between requests, and seconds that a burst may run ahead of its time."""

    interval: float
    tolerance: float

    @classmethod
    def of(cls, rate: Rate) -> Self:
        """Builds the bucket of a rate in the settings."""
        return cls.of_share(rate, 1.0)

    @classmethod
    def of_share(cls, rate: Rate, share: float) -> Self:
        """Builds the bucket of a part of a rate. Its burst is at least one request."""
        interval = 1.0 / (rate.per_second * share)
        return cls(interval, interval * (max(1.0, rate.burst * share) - 1) + _ROUNDING_S)

    def get_wait_s(self, next_at: float, now: float) -> float:
        """Returns the seconds until a request is allowed, given the stored `next_at`; 0.0 if it is allowed now."""
        return max(0.0, next_at - self.tolerance - now)

    def advance(self, next_at: float, now: float) -> float:
        """Returns the `next_at` to store after counting a request at `now`."""
        return max(next_at, now) + self.interval
