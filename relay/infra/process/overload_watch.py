"""Measures the load of a gateway for its overload gate: lag of the event loop, and memory."""

import logging
from collections.abc import Callable, Mapping
from typing import Final

from relay.infra.process.loop_lag import INTERVAL_S
from relay.infra.process.memory import GroupMemory, ResidentMemory, find_group_memory
from relay.policy.quota.overload import WINDOW_S, Measure, OverloadGate, OverloadLimits
from relay.policy.settings.rates import OverloadSettings

_log = logging.getLogger(__name__)

GROUP_PART: Final = 0.9
"""Part of a control group's memory that may be used; beyond all of it the kernel kills a process."""

_MIB: Final = 1024 * 1024


class OverloadWatch:
    """Lets `gate` observe each window of `WINDOW_S`; logs begin and end of an overload.

    The lag of a window is the mean wait of an event that comes at any time in it: each probe's delay is weighted with
    the time since the probe before. `count_calls` returns the calls in flight without those that
    are refused and held back. `gauges` may be called on any thread.
    """

    def __init__(
        self,
        settings: OverloadSettings,
        gate: OverloadGate,
        count_calls: Callable[[], int],
        process: ResidentMemory = ResidentMemory(),  # noqa: B008 - immutable
        group: GroupMemory | None = None,
    ) -> None:
        self._gate = gate
        self._count_calls = count_calls
        self._process = process
        self._group = group if group is not None else find_group_memory()
        self._weighted = self._span = 0.0
        self._measure = Measure(0.0)
        self._began = 0.0
        self._refused_before = 0
        self.adjust(settings)

    def adjust(self, settings: OverloadSettings) -> None:
        """Applies new settings."""
        group = self._group if settings.memory_mb is None else None
        self._memory = group or self._process
        own_bytes = (settings.memory_mb or 0) * _MIB
        memory_bytes = own_bytes if group is None else int(group.limit * GROUP_PART)
        self._gate.adjust(OverloadLimits(settings.lag_s, memory_bytes))

    def observe(self, delay: float, now: float) -> None:
        """Adds one probe of the event loop that ran `delay` seconds late, at monotonic `now`."""
        span = INTERVAL_S + delay
        self._weighted += delay * span
        self._span += span
        if self._span < WINDOW_S:
            return
        self._measure = measure = Measure(
            max(0.0, self._weighted / self._span), self._memory.read(), self._count_calls()
        )
        self._weighted = self._span = 0.0
        former = self._gate.level
        self._gate.observe(measure)
        if bool(former) != bool(self._gate.level):
            self._log_change(now)

    def gauges(self) -> Mapping[str, float]:
        """Returns the values of the metrics."""
        return {
            "relay_overload_level": int(self._gate.level),
            "relay_overload_lag_seconds": self._measure.lag_s,
            "relay_overload_memory_bytes": self._measure.memory_bytes,
        }

    def _log_change(self, now: float) -> None:
        gate, measure = self._gate, self._measure
        if gate.level:
            self._began, self._refused_before = now, gate.refused
            _log.warning(
                "overload began, scheduled transfers are refused: lag_s=%.3f memory_mb=%d calls_in_flight=%d",
                measure.lag_s, measure.memory_bytes // _MIB, measure.in_flight,
            )  # fmt: skip
            return
        refused = gate.refused - self._refused_before
        _log.warning("overload ended: seconds=%.1f refused_calls=%d", now - self._began, refused)
