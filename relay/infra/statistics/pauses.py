"""Pauses of a thread that computes."""

import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

PAUSE_S: Final = 0.0005

_T = TypeVar("_T")


def with_pauses(items: Iterable[_T]) -> Iterator[_T]:
    """Yields items; before each next one, the thread sleeps for a moment.

    PERF: the event loop gets the interpreter in it. From a thread that computes without a pause it would get it after
    5 ms each time (`sys.getswitchinterval`).
    """
    for item in items:
        yield item
        time.sleep(PAUSE_S)
