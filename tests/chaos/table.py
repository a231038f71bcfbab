"""The table of states: `states.yaml`, checked and with the function that produces each state."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from chaos.row import Row

FILE = Path(__file__).with_name("states.yaml")
DEADLINE_S = 60.0
TEXTS = ("title", "answered", "holds", "alarm")

Produce = Callable[[Row, Path], Awaitable[None]]
"""Produces a state in an empty folder and writes into the row what it saw."""


@dataclass(frozen=True)
class State:
    """One degraded state: what callers get, what holds, which alarm rises. `may_lose` is "" where nothing is lost."""

    name: str
    group: str
    title: str
    answered: str
    holds: str
    alarm: str
    may_lose: str = ""
    deadline_s: float = DEADLINE_S

    @property
    def produce(self) -> Produce:
        """The function of this name in the module of its group."""
        return getattr(import_module(f"chaos.states.{self.group}"), self.name)


def load_states() -> dict[str, State]:
    """Returns all states by name, in the order of the table. Raises ValueError for a name that is there twice."""
    states: dict[str, State] = {}
    groups: dict[str, list[dict[str, Any]]] = yaml.safe_load(FILE.read_text())
    for group, entries in groups.items():
        for entry in entries:
            state = State(group=group, **entry)
            if state.name in states:
                raise ValueError(f"{state.name} is in the table twice")
            states[state.name] = state
    return states
