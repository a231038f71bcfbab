"""Decides which calls an overloaded gateway refuses: scheduled transfers first, then a part of new calls on demand."""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from relay.domain.fault import FAULTS, Refusal

WINDOW_S: Final = 0.5
"""Time over which lag is measured before each decision."""

RISE_WINDOWS: Final = 2
"""Overloaded windows in a row before the level rises. One long stall, such as a suspended machine, is one window.

The second rise needs only one window of very high lag: with 6,000 busy connections, a turn of the loop took 3 s.
"""

CALM_WINDOWS: Final = 10
"""Calm windows in a row before scheduled transfers are served again."""

STEP: Final = 0.1
"""Change of the refused part in one window; the part grows up to `_MAX_STEPS` times as fast while lag is high."""

_MAX_STEPS: Final = 5.0

MAX_PART: Final = 0.95
"""Largest refused part of calls on demand: some are always served."""

_CALM: Final = 0.5
"""Lag below this part of its limit is calm. Between both, the refused part stays as it is."""

_CALM_MEMORY: Final = 0.95

HOLD_S: Final = 0.5
"""Mean time for which a refusal is held back, so that its connection sends no other call meanwhile.

The times are spread from a half to one and a half of it: refusals that end together would be repeated together.

PERF: without it, 3,000 connections that called again at once made the loop answer refusals for 2.6 s in one turn, while
calls that were accepted waited.
"""

MIN_IN_FLIGHT: Final = 64
"""With so few calls in flight none is refused while memory alone is short: refusals would free none."""

_GOLDEN: Final = (math.sqrt(5) - 1) / 2
"""Multiples of it, modulo 1, are spread evenly, also those of every second or third call."""

OVERLOAD_FAULTS: Final = (FAULTS["overload_scheduled"], FAULTS["overload"])


class OverloadLevel(IntEnum):
    """Calls that are refused: none, scheduled transfers, or also a part of calls on demand."""

    NORMAL = 0
    SCHEDULED = 1
    ON_DEMAND = 2


@dataclass(frozen=True, slots=True)
class OverloadLimits:
    """Limits of lag in seconds and of memory in bytes; 0 is no limit."""

    lag_s: float = 0.0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Measure:
    """The mean lag of the event loop in one window; memory in use and calls in flight at its end.

    Refusals that are held back are not in flight: they would keep up an overload that no other call causes.
    """

    lag_s: float
    memory_bytes: int = 0
    in_flight: int = 0


class OverloadGate:
    """Raises its level while a limit is exceeded, and lowers it when lag and memory are calm again.

    `level` is 0 in the normal state: the only cost of a call. `part` is the refused part of calls on demand. Each
    refusal is held back for about `hold_s`.

    The rule follows CoDel (RFC 8289): what counts is lag that stays above its limit for a whole interval. While it
    does, the refused part grows; calls that were accepted are finished.
    """

    def __init__(self, limits: OverloadLimits = OverloadLimits()) -> None:
        self._limits = limits
        self.level = OverloadLevel.NORMAL
        self.part = 0.0
        self.hold_s = HOLD_S
        self.refused = 0
        """Calls refused since the start."""
        self._high_windows = self._calm_windows = 0
        self._spares_all = False
        self._position = self._hold_position = 0.0

    def adjust(self, limits: OverloadLimits) -> None:
        """Applies new limits with the next window."""
        self._limits = limits

    def observe(self, measure: Measure) -> None:
        """Decides the level after one window."""
        limits = self._limits
        lag = measure.lag_s / limits.lag_s if limits.lag_s else 0.0
        memory = measure.memory_bytes / limits.memory_bytes if limits.memory_bytes else 0.0
        if lag > 1 or memory > 1:
            self._calm_windows = 0
            self._high_windows += 1
            self._spares_all = lag <= _CALM and measure.in_flight <= MIN_IN_FLIGHT
            self._raise_level(max(1.0, min(lag, _MAX_STEPS)))
            return
        self._high_windows, self._spares_all = 0, False
        if lag < _CALM and memory <= _CALM_MEMORY:
            self._lower_level()

    def check(self, *, is_scheduled: bool) -> None:
        """Checks one new call while `level` is above 0. Raises Refusal (42901)."""
        if self._spares_all:
            return
        if is_scheduled and self.level:
            self.refused += 1
            raise Refusal(OVERLOAD_FAULTS[0], retry_after=self._get_recovery_s(CALM_WINDOWS))
        self._position = (self._position + _GOLDEN) % 1.0
        if self._position < self.part:
            self.refused += 1
            raise Refusal(OVERLOAD_FAULTS[1], retry_after=self._get_recovery_s(0))

    def get_hold_s(self) -> float:
        """Returns the time for which the next refusal is held back."""
        self._hold_position = (self._hold_position + _GOLDEN) % 1.0
        return self.hold_s * (0.5 + self._hold_position)

    def _raise_level(self, steps: float) -> None:
        if self.level is OverloadLevel.ON_DEMAND:
            self.part = min(MAX_PART, self.part + steps * STEP)
        elif self._high_windows >= RISE_WINDOWS or (self.level and steps == _MAX_STEPS):
            self._high_windows = 0
            self.level = OverloadLevel(self.level + 1)
            if self.level is OverloadLevel.ON_DEMAND:
                self.part = steps * STEP

    def _lower_level(self) -> None:
        if self.level is OverloadLevel.ON_DEMAND:
            self.part -= STEP
            if self.part <= 0:
                self.part, self.level = 0.0, OverloadLevel.SCHEDULED
        elif self.level is OverloadLevel.SCHEDULED:
            self._calm_windows += 1
            if self._calm_windows >= CALM_WINDOWS:
                self.level, self._calm_windows = OverloadLevel.NORMAL, 0

    def _get_recovery_s(self, further_windows: int) -> float:
        """Returns the time until such a call is served if the overload ends now: the current window, then calm ones."""
        return (1 + math.ceil(self.part / STEP) + further_windows) * WINDOW_S
