"""Deadlines without a timer each: whoever has one stands in the set, one tick looks at all."""

from typing import Protocol


class Watched(Protocol):
    """Something with a deadline, in seconds of the loop's clock (`math.inf`: none)."""

    deadline: float

    def overdue(self, now: float) -> None:
        """Act: the deadline has passed. Called again at each tick until the deadline moves."""


class Watch:
    """The set of everything that has a deadline.

    PERF: moving a deadline is one attribute write; a timer handle for each request costs 1-2 us.
    """

    def __init__(self) -> None:
        self._watched: set[Watched] = set()
        self.add = self._watched.add
        self.discard = self._watched.discard

    def __len__(self) -> int:
        return len(self._watched)

    def tick(self, now: float) -> None:
        """Tell everyone whose deadline has passed."""
        for watched in [one for one in self._watched if one.deadline <= now]:
            watched.overdue(now)
