"""State machines: tables of states and the allowed transitions between them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

S = TypeVar("S", bound=StrEnum)

Transitions = Mapping[S, frozenset[S]]
"""The states that may follow each state; a state without a row is final."""


class Forbidden(Exception):
    """The table does not allow the transition."""


def moved(transitions: Transitions[S], now: S, to: S) -> S:
    """Returns the state `to` if it may follow `now`. Raises Forbidden."""
    if to not in transitions.get(now, frozenset()):
        raise Forbidden(f"{type(to).__name__}: {now} does not become {to}")
    return to
