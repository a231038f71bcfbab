"""Decides which workers have too many of the gateway's connections."""

from collections.abc import Sequence
from typing import Final

MAX_RATIO: Final = 1.25
"""A worker may have this many times the mean."""

MIN_EXCESS: Final = 4
"""Fewer connections above the mean are not moved: with few connections, chance alone makes such differences."""


def find_excess(connections: Sequence[int]) -> list[int]:
    """Returns for each worker how many of its connections exceed the mean; 0 if it has not too many."""
    mean = sum(connections) / max(1, len(connections))
    excess = [int(count - mean) for count in connections]
    return [
        above if count > MAX_RATIO * mean and above >= MIN_EXCESS else 0
        for count, above in zip(connections, excess, strict=True)
    ]
