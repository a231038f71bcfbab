"""How much: GCRA, the leaky bucket as one number (the theoretical arrival time of the next request)."""

from dataclasses import dataclass
from typing import Final, Self

from relay.policy.settings.scalars import Rate

_ROUNDING_S: Final = 1e-6
"""Seconds forgiven, so that rounding never refuses the last request of a burst."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A rate ready to be asked: seconds between requests, and how far ahead of its time a burst may run."""

    interval: float
    tolerance: float

    @classmethod
    def of(cls, rate: Rate) -> Self:
        """The bucket of a rate of the settings."""
        interval = 1.0 / rate.per_second
        return cls(interval, interval * (rate.burst - 1) + _ROUNDING_S)

    def wait(self, arrival: float, now: float) -> float:
        """Seconds until a request may be taken, given the stored `arrival`; 0.0 when it may be taken now."""
        return max(0.0, arrival - self.tolerance - now)

    def taken(self, arrival: float, now: float) -> float:
        """The arrival time to store once a request is taken at `now`."""
        return max(arrival, now) + self.interval


_KEYS_MOST: Final = 4096
"""Keys whose arrival is remembered before those within their rate are forgotten."""


def store_arrival(arrivals: dict[str, float], key: str, arrival: float, now: float) -> None:
    """Remember the arrival time of a key, and forget those of keys within their rate when there are too many."""
    if key not in arrivals and len(arrivals) >= _KEYS_MOST:
        for other in [other for other, until in arrivals.items() if until <= now]:
            del arrivals[other]
        if len(arrivals) >= _KEYS_MOST:  # more floods at once than are remembered: the oldest begins anew
            del arrivals[next(iter(arrivals))]
    arrivals[key] = arrival
