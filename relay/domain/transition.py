"""What may become of a thing: its states and the moves between them, written as a table."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

S = TypeVar("S", bound=StrEnum)

Moves = Mapping[S, frozenset[S]]
"""From each state to those that may follow it; a state without a row is an end."""


class Forbidden(Exception):
    """A move that stands in no table: whoever asked for it is wrong about the state."""


def moved(moves: Moves[S], now: S, to: S) -> S:
    """The state `to`, when the table lets `now` become it. Raises Forbidden."""
    if to not in moves.get(now, frozenset()):
        raise Forbidden(f"{type(to).__name__}: {now} does not become {to}")
    return to
