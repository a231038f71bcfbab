"""Limits the rate of repeated log lines: callers and failing services must not fill a disk."""

from typing import Final

INTERVAL_S: Final = 1.0
"""Minimum seconds between two lines of one key."""


class LogThrottle:
    """Decides which events of a key are logged: the first, then at most one in `interval_s` with the number of events.

    Call `count_event` for each event and log a line unless it returns 0. Keys are kept until `forget`: use few.
    """

    __slots__ = ("_counts", "_interval_s", "_logged_at")

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._logged_at: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def count_event(self, key: str, now: float) -> int:
        """Counts an event at `now` in seconds; the clock may be set back.

        Returns the number of events since the last line of the key, this one included; 0 if no line is due.
        """
        count = self._counts.get(key, 0) + 1
        logged_at = self._logged_at.get(key)
        if logged_at is not None and 0 <= now - logged_at < self._interval_s:
            self._counts[key] = count
            return 0
        self._counts.pop(key, None)
        self._logged_at[key] = now
        return count

    def forget(self, key: str) -> None:
        """Makes the next event of a key the first again."""
        self._logged_at.pop(key, None)
        self._counts.pop(key, None)
