"""Limits the time for irreversible work (ending consents, removing records) when a clock jumps ahead."""

from dataclasses import dataclass
from typing import Final

from relay.domain.jobs import MAX_AHEAD_S

SETTLE_S: Final = 86_400
"""A clock that jumped ahead is trusted after it has run evenly for this long, the time to correct it by hand."""
MAX_IDLE_S: Final = 86_400
"""Longest time between two job entries in a ledger in use: retention runs once a day."""


def limit_to_database_time(now: int, database_now: int) -> int:
    """Returns `now`, or the time of the database when our clock is ahead of it."""
    return now if now <= database_now + MAX_AHEAD_S else database_now


@dataclass(frozen=True, slots=True)
class ClockAnchor:
    """A trusted reading: the clock had the value `wall` when the monotonic counter was at `elapsed`."""

    wall: int
    elapsed: float
    slack_s: int = MAX_AHEAD_S


class ClockTrust:
    """Compares one clock with a monotonic counter (seconds since boot).

    `latest` is the last time in the ledger, 0 for none. A clock ahead of it is not trusted at once.
    """

    def __init__(self, latest: int, now: int, elapsed: float) -> None:
        slack = MAX_IDLE_S + MAX_AHEAD_S
        is_ahead = 0 < latest < now - slack
        self._anchor = ClockAnchor(latest, elapsed, slack) if is_ahead else ClockAnchor(now, elapsed)
        self._jump = ClockAnchor(now, elapsed)

    def get_trusted_time(self, now: int, elapsed: float) -> int:
        """Returns `now`, or an earlier time while the clock has jumped ahead."""
        expected = _extrapolate(self._anchor, elapsed)
        if now <= expected + self._anchor.slack_s:
            self._anchor = self._jump = ClockAnchor(now, elapsed)
            return now
        if abs(now - _extrapolate(self._jump, elapsed)) > MAX_AHEAD_S:
            self._jump = ClockAnchor(now, elapsed)  # another jump
        if elapsed - self._jump.elapsed >= SETTLE_S:
            self._anchor = ClockAnchor(now, elapsed)
            return now
        return expected


def _extrapolate(anchor: ClockAnchor, elapsed: float) -> int:
    """Returns the time that a clock running evenly since the anchor has at `elapsed`."""
    return anchor.wall + int(elapsed - anchor.elapsed)
