"""Adapts the number of calls at once to how fast an institution responds (gradient of the response times)."""

from math import sqrt
from typing import Final

WINDOW_S: Final = 1.0
"""Response times are compared each window."""

LEAST_CALLS: Final = 10
"""Fewer responses in a window say nothing."""

LOWERED_WINDOW_S: Final = 30.0
"""While the limit is lowered, a window lasts until it has LEAST_CALLS responses, so long at most: a low limit and slow
responses may never give as many in WINDOW_S."""

TOLERANCE: Final = 2.0
"""Responses may take so many times as long as usual before the limit is lowered."""

LEAST_PART: Final = 0.25
LEAST_LIMIT: Final = 4
"""The limit is never below a quarter of the maximum, and not below four."""

_LEARNED_SLOWER: Final = 0.02
_LEARNED_FASTER: Final = 0.5


class AdaptiveLimit:
    """The number of calls that an institution may have at once, at most `maximum`.

    If responses take longer than TOLERANCE times the usual time, the limit is lowered in proportion; else it grows by
    its square root. The usual time follows slowly, so that a lasting change becomes usual in about a minute.
    """

    __slots__ = ("_calls", "_ends_at", "_least", "_seconds", "_usual_s", "limit", "maximum")

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self._least = min(maximum, max(LEAST_LIMIT, int(maximum * LEAST_PART)))
        self.limit = maximum
        self._calls = 0
        self._seconds = self._usual_s = self._ends_at = 0.0

    def record(self, seconds: float, now: float) -> bool:
        """Records the time of a response. Returns whether the limit has changed."""
        is_lowered = self.limit < self.maximum
        if now >= self._ends_at + (LOWERED_WINDOW_S if is_lowered else WINDOW_S):  # what came before is too old
            self._calls, self._seconds, self._ends_at = 0, 0.0, now + WINDOW_S
        self._calls += 1
        self._seconds += seconds
        if now < self._ends_at or (is_lowered and self._calls < LEAST_CALLS):
            return False
        before = self.limit
        if self._calls >= LEAST_CALLS:
            self._adjust(self._seconds / self._calls)
        self._calls, self._seconds, self._ends_at = 0, 0.0, now + WINDOW_S
        return self.limit != before

    def _adjust(self, mean_s: float) -> None:
        usual_s = self._usual_s or mean_s
        gradient = min(1.0, max(0.5, TOLERANCE * usual_s / mean_s)) if mean_s > 0 else 1.0
        self._usual_s = usual_s + (mean_s - usual_s) * (_LEARNED_FASTER if mean_s < usual_s else _LEARNED_SLOWER)
        self.limit = min(
            self.maximum, max(self._least, int(self.limit * gradient + sqrt(self.limit) * (gradient >= 1)))
        )
