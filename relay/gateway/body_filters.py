"""Filters large response bodies, one slice in each turn of the event loop, however many there are."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from relay.policy.call.member_filter import MemberFilter

SLICE_TOKENS: Final = 1000
"""Names, values and punctuation that are parsed in one turn. PERF: 0.3 ms."""


class BodyFilters:
    """Filters bodies in turn, a slice each. The caller filters the first slice itself."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[MemberFilter, Callable[[bytes | None], object]]] = deque()

    def add(self, member_filter: MemberFilter, on_finished: Callable[[bytes | None], object]) -> None:
        """Continues after the first slice. `on_finished` gets the filtered body, None if it is not a JSON object."""
        self._waiting.append((member_filter, on_finished))
        if len(self._waiting) == 1:
            self._schedule()

    def _schedule(self) -> None:
        asyncio.get_running_loop().call_soon(self._filter_slice)

    def _filter_slice(self) -> None:
        member_filter, on_finished = self._waiting.popleft()
        try:
            is_done = member_filter.read(SLICE_TOKENS)
        except ValueError:
            is_done, body = True, None
        else:
            body = member_filter.result if is_done else None
        if not is_done:
            self._waiting.append((member_filter, on_finished))
        if self._waiting:
            self._schedule()
        if is_done:
            on_finished(body)
