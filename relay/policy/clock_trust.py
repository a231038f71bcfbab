"""Whether a clock may be believed where what it decides cannot be undone: consents ended, records removed."""

from dataclasses import dataclass
from typing import Final

from relay.domain.jobs import AHEAD_MOST_S

SETTLES_S: Final = 86_400
"""A clock that jumped ahead is believed once it has run evenly for so long; by then a person can have set it right."""
SILENT_MOST_S: Final = 86_400
"""The longest time between two entries of jobs in a ledger that is in use: retention runs once a day."""


def believed_beside(now: int, other: int) -> int:
    """The time to act by, of our clock and that of the database: the earlier one when ours is ahead."""
    return now if now <= other + AHEAD_MOST_S else other


@dataclass(frozen=True, slots=True)
class ClockAnchor:
    """A moment that was believed: what the clock told at `elapsed` of a counter that nobody sets."""

    wall: int
    elapsed: float
    slack_s: int = AHEAD_MOST_S


class ClockTrust:
    """Follows one clock by a counter that nobody sets (seconds since the machine was started).

    `latest` is the last time that the ledger knows, 0 for none. A clock that runs ahead of it is not believed at once.
    """

    def __init__(self, latest: int, now: int, elapsed: float) -> None:
        slack = SILENT_MOST_S + AHEAD_MOST_S
        is_ahead = 0 < latest < now - slack
        self._anchor = ClockAnchor(latest, elapsed, slack) if is_ahead else ClockAnchor(now, elapsed)
        self._jump = ClockAnchor(now, elapsed)

    def believed(self, now: int, elapsed: float) -> int:
        """The time to act by: `now`, or an earlier one while the clock has jumped ahead."""
        expected = _expected(self._anchor, elapsed)
        if now <= expected + self._anchor.slack_s:
            self._anchor = self._jump = ClockAnchor(now, elapsed)
            return now
        if abs(now - _expected(self._jump, elapsed)) > AHEAD_MOST_S:
            self._jump = ClockAnchor(now, elapsed)  # it jumped once more
        if elapsed - self._jump.elapsed >= SETTLES_S:
            self._anchor = ClockAnchor(now, elapsed)
            return now
        return expected


def _expected(anchor: ClockAnchor, elapsed: float) -> int:
    return anchor.wall + int(elapsed - anchor.elapsed)
