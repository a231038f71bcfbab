"""Shares the slots of an institution between operators, so that no operator takes all of them."""

from collections import Counter
from typing import Final

_TIMES_FREE: Final = 3
"""An operator may hold this multiple of the free slots: alone three quarters of all, beside another 3 of 7."""


class OperatorShares:
    """Counts the slots that operators hold, of `most`.

    An operator without a name ("") has no share: it may take all slots. PERF: 0.3 us for a call.
    """

    __slots__ = ("_by_operator", "_most", "taken")

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_operator: Counter[str] = Counter()
        self.taken = 0

    def take(self, operator: str, more: int = 0) -> bool:
        """Take one slot, of `more` additional ones if given. Returns whether the operator may have it."""
        taken = self.taken
        share = _TIMES_FREE * (self._most + more - taken)
        if taken < share or (share > 0 and (self._by_operator[operator] < share or not operator)):
            self.taken = taken + 1
            self._by_operator[operator] += 1
            return True
        return False

    def fits(self, operator: str) -> bool:
        """Return whether an operator may take one more slot."""
        share = _TIMES_FREE * (self._most - self.taken)
        return share > 0 and (self.taken < share or self.taken_by(operator) < share or not operator)

    def taken_by(self, operator: str) -> int:
        """Return how many slots the operator holds."""
        return self._by_operator[operator]

    def is_full(self, more: int = 0) -> bool:
        """Return whether no operator may take a slot."""
        return self.taken >= self._most + more

    def release(self, operator: str) -> None:
        """Free one slot."""
        self.taken -= 1
        self._by_operator[operator] -= 1
