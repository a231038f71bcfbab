"""One instance for equal values that are kept for long, so that their memory is used once."""

from collections.abc import Hashable
from typing import TypeVar

from relay.primitives.two_generations import TwoGenerationCache

V = TypeVar("V", bound=Hashable)


class SharedValues:
    """Returns for a value the equal one that was shared before.

    At most `max_values` values of each type are known, the most recent ones. A forgotten value is shared anew; its
    holders keep it. Values of different types are different: 1, 1.0 and True are three values.
    """

    __slots__ = ("_known", "_max_values")

    def __init__(self, max_values: int) -> None:
        self._max_values = max_values
        self._known: dict[type, TwoGenerationCache[Hashable, Hashable]] = {}

    def share(self, value: V) -> V:
        """Returns the shared instance of an immutable value whose members are strings, numbers or bytes."""
        cache = self._known.get(value.__class__)
        if cache is None:
            cache = self._known[value.__class__] = TwoGenerationCache(self._max_values, untracked=True)
        known = cache.get(value)
        if known is None:
            cache.put(value, value)
            return value
        return known  # type: ignore[return-value] # the cache is that of the type
