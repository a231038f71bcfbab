"""The largest value of the last minutes, for gauges that are read at any time."""

from typing import Final

WINDOW_S: Final = 60.0


class RecentMaximum:
    """Keeps the largest value of this window and of the one before. `now` is any clock that never goes back."""

    __slots__ = ("_began", "_current", "_former")

    def __init__(self) -> None:
        self._began = 0.0
        self._current = self._former = 0.0

    def add(self, value: float, now: float) -> None:
        """Adds a value at `now`."""
        self._advance(now)
        self._current = max(self._current, value)

    def get(self, now: float) -> float:
        """Returns the largest value since the beginning of the window before this one, 0.0 without any."""
        age = now - self._began
        if age >= 2 * WINDOW_S:
            return 0.0
        return self._current if age >= WINDOW_S else max(self._current, self._former)

    def _advance(self, now: float) -> None:
        age = now - self._began
        if age >= WINDOW_S:
            self._former = self._current if age < 2 * WINDOW_S else 0.0
            self._current = 0.0
            self._began = now
