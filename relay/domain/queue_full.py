"""Shared by callers that queue for a limited resource: for whom a call runs, and the error of a full queue."""

from contextvars import ContextVar
from typing import Final

CALLER: Final[ContextVar[str]] = ContextVar("caller", default="")
"""The operators of the current call's connection, comma-separated. "" for calls of customers' pages and for jobs."""


class QueueFull(Exception):
    """The queue is full. The call was not started; the caller may retry later."""
