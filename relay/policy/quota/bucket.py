"""Rate limits by GCRA: a leaky bucket stored as one number, the theoretical arrival time of the next request."""

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
        """Build the bucket of a rate in the settings."""
        interval = 1.0 / rate.per_second
        return cls(interval, interval * (rate.burst - 1) + _ROUNDING_S)

    def wait(self, arrival: float, now: float) -> float:
        """Return the seconds until a request is allowed, given the stored `arrival`; 0.0 if it is allowed now."""
        return max(0.0, arrival - self.tolerance - now)

    def advance(self, arrival: float, now: float) -> float:
        """Return the arrival time to store after counting a request at `now`."""
        return max(arrival, now) + self.interval


_KEYS_MOST: Final = 4096
"""Stored keys. Beyond that number, keys within their rate are deleted."""


def store_arrival(arrivals: dict[str, float], key: str, arrival: float, now: float) -> None:
    """Store the arrival time of a key. If there are too many keys, delete those within their rate."""
    if key not in arrivals and len(arrivals) >= _KEYS_MOST:
        for other in [other for other, until in arrivals.items() if until <= now]:
            del arrivals[other]
        if len(arrivals) >= _KEYS_MOST:  # more floods at once than stored keys: the oldest starts again
            del arrivals[next(iter(arrivals))]
    arrivals[key] = arrival
