"""Large answers that must be read, one slice in each turn of the event loop, whatever their number."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from relay.policy.call.member_filter import MemberFilter

SLICE_TOKENS: Final = 1000
"""Names, values and signs that are read in one turn. PERF: 0.3 ms."""


class BodyFilters:
    """Reads answers in turn, a slice each. An answer of one slice is read at once."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[MemberFilter, Callable[[bytes | None], object]]] = deque()

    def add(self, reading: MemberFilter, finished: Callable[[bytes | None], object]) -> None:
        """Go on with a body whose first slice was read. `finished` gets what is left of it, None for no JSON object."""
        self._waiting.append((reading, finished))
        if len(self._waiting) == 1:
            self._schedule()

    def _schedule(self) -> None:
        asyncio.get_running_loop().call_soon(self._read_slice)

    def _read_slice(self) -> None:
        reading, finished = self._waiting.popleft()
        try:
            is_done = reading.read(SLICE_TOKENS)
        except ValueError:
            is_done, rest = True, None
        else:
            rest = reading.result if is_done else None
        if not is_done:
            self._waiting.append((reading, finished))
        if self._waiting:
            self._schedule()
        if is_done:
            finished(rest)
