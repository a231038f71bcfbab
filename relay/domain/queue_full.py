"""Taking turns at what there is little of."""

from contextvars import ContextVar
from typing import Final

CALLER: Final[ContextVar[str]] = ContextVar("caller", default="")
"""Whose call is worked on: the operators that its connection speaks for, comma-separated. "" for customers at the pages
and for jobs."""


class Crowded(Exception):
    """So many wait for a turn that nobody else may: nothing was begun, come again later."""
