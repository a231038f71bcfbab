"""Measures how long the event loop and the garbage collector keep calls waiting."""

import asyncio
import gc
import time
from collections.abc import Callable, Mapping
from typing import Final

from relay.primitives.recent_maximum import RecentMaximum

INTERVAL_S: Final = 0.01
"""Time between two probes. PERF: each takes 1 us, which is 0.01 % of a core."""


class LoopLag:
    """Keeps the longest delay of an event loop and the longest garbage collection of the last one to two minutes.

    A probe is due every `INTERVAL_S`; the delay is how late it runs. Shorter stalls between two probes are not seen.
    Each probe calls `on_probe` with its delay and the time. `gauges` may be called on any thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_probe: Callable[[float, float], None] | None = None) -> None:
        self.loop = loop
        self._on_probe = on_probe
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._collection_began = 0.0
        self._delays = RecentMaximum()
        self._collections = RecentMaximum()

    def start(self) -> None:
        """Starts the probes."""
        gc.callbacks.append(self._time_collection)
        self._schedule()

    def stop(self) -> None:
        """Stops the probes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.callbacks.remove(self._time_collection)

    def gauges(self) -> Mapping[str, float]:
        """Returns the values of the metrics."""
        now = time.monotonic()
        return {
            "relay_loop_lag_seconds": self._delays.get(now),
            "relay_gc_pause_seconds": self._collections.get(now),
        }

    def _schedule(self) -> None:
        self._due = time.monotonic() + INTERVAL_S
        self._timer = self.loop.call_later(INTERVAL_S, self._probe)

    def _probe(self) -> None:
        now = time.monotonic()
        delay = now - self._due
        self._delays.add(delay, now)
        try:
            if self._on_probe is not None:
                self._on_probe(delay, now)
        finally:
            self._schedule()

    def _time_collection(self, phase: str, _: Mapping[str, int]) -> None:
        now = time.monotonic()
        if phase == "start":
            self._collection_began = now
        else:
            self._collections.add(now - self._collection_began, now)
