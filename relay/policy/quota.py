"""How much: GCRA, the leaky bucket as one number (the theoretical arrival time of the next request)."""

from dataclasses import dataclass
from typing import Final, Self

from relay.policy.scalars import Rate

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
