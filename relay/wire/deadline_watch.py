"""Deadlines without a timer for each: one periodic tick checks all of them."""

from typing import Protocol


class Watched(Protocol):
    """An object with a deadline, in seconds of the loop's clock (`math.inf`: none)."""

    deadline: float

    def handle_timeout(self, now: float) -> None:
        """Handles the deadline that has passed. Called at each tick until `deadline` moves."""


class DeadlineWatch:
    """The set of all objects that have a deadline.

    PERF: moving a deadline is one attribute write; a timer handle for each request costs 1-2 us.
    """

    def __init__(self) -> None:
        self._watched: set[Watched] = set()
        self.add = self._watched.add
        self.discard = self._watched.discard

    def __len__(self) -> int:
        return len(self._watched)

    def tick(self, now: float) -> None:
        """Calls `handle_timeout` of each object whose deadline has passed."""
        for watched in [each for each in self._watched if each.deadline <= now]:
            watched.handle_timeout(now)
