"""Shares the permits of an institution between operators, so that no operator takes all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_TIMES_FREE: Final = 3
"""An operator may hold this multiple of the free permits: alone three quarters of all, beside another 3 of 7."""


@dataclass(frozen=True, slots=True)
class OperatorLimits:
    """How many permits one operator may hold at most, and the weights of operators, 1 for those that are not in it."""

    max_each: int = 1_000_000
    weights: Mapping[str, float] = field(default_factory=dict)


NO_LIMITS: Final = OperatorLimits()


class OperatorShares:
    """Counts the permits that operators hold, of `max_permits`, within the `limits` of each.

    An operator's multiple of the free permits is in proportion to its weight.
    An operator without a name ("") has no share: it may take all permits. PERF: 0.3 us for a call.
    """

    __slots__ = ("_by_operator", "_max_each", "_max_permits", "_weights", "taken")

    def __init__(self, max_permits: int, limits: OperatorLimits = NO_LIMITS) -> None:
        self._max_permits = max_permits
        self._max_each = limits.max_each
        self._by_operator: dict[str, int] = {}
        self._weights = limits.weights
        self.taken = 0

    def take(self, operator: str, more: int = 0, held_elsewhere: int = 0) -> bool:
        """Takes one permit, of `more` additional ones if given. Returns whether the operator may have it.

        `held_elsewhere` counts as well in what an operator may hold.
        """
        taken = self.taken
        share = _TIMES_FREE * float(self._max_permits + more - taken)
        if self._weights:
            share *= self._weights.get(operator, 1.0)
        held = self._by_operator.get(operator, 0)
        if held + held_elsewhere >= self._max_each and operator:
            return False
        if taken < share or (share > 0 and (held < share or not operator)):
            self.taken = taken + 1
            self._by_operator[operator] = held + 1
            return True
        return False

    def resize(self, max_permits: int) -> None:
        """Changes the number of permits. Those taken above it stay taken."""
        self._max_permits = max_permits

    @property
    def free(self) -> int:
        """The number of permits that are not taken."""
        return self._max_permits - self.taken

    def fits(self, operator: str) -> bool:
        """Returns whether an operator may take one more permit."""
        share = _TIMES_FREE * float(self._max_permits - self.taken) * self.get_weight(operator)
        held = self.taken_by(operator)
        return share > 0 and (not operator or (held < self._max_each and held < share))

    def fits_beside_others(self, operator: str) -> bool:
        """Returns whether an operator may take a permit once one of another operator is free."""
        share = min(self._max_each, _TIMES_FREE * self.get_weight(operator))
        return not operator or self.taken_by(operator) < share

    def get_weight(self, operator: str) -> float:
        """Returns the weight of an operator."""
        return self._weights.get(operator, 1.0) if self._weights else 1.0

    def taken_by(self, operator: str) -> int:
        """Returns how many permits the operator holds."""
        return self._by_operator.get(operator, 0)

    def get_part(self, operator: str) -> float:
        """Returns how many permits the operator holds for its weight."""
        return float(self._by_operator.get(operator, 0)) / self.get_weight(operator)

    def is_full(self, more: int = 0) -> bool:
        """Returns whether no operator may take a permit."""
        return self.taken >= self._max_permits + more

    def release(self, operator: str) -> None:
        """Frees one permit."""
        self.taken -= 1
        self._by_operator[operator] -= 1
