"""State machines: tables of states and the allowed transitions between them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

S = TypeVar("S", bound=StrEnum)

Transitions = Mapping[S, frozenset[S]]
"""The states that may follow each state; a state without a row is final."""


class InvalidTransition(Exception):
    """The table does not allow the transition."""


def apply_transition(transitions: Transitions[S], now: S, to: S) -> S:
    """Returns the state `to` if it may follow `now`. Raises InvalidTransition."""
    if to not in transitions.get(now, frozenset()):
        raise InvalidTransition(f"{type(to).__name__}: {now} does not become {to}")
    return to
