"""Garbage collections of a process that keeps many objects for long: each is short, whatever the process remembers."""

import enum
import gc
from typing import Final

YOUNG_THRESHOLD: Final = 700
"""New objects from which the youngest generation is collected: 0.1 to 0.2 ms."""

_MIDDLE: Final = 1
"""The middle generation is collected with every third collection of the youngest one: about 2,100 objects."""

_NEVER: Final = 2**31 - 1

COLLECT_FROM: Final = 2_000
"""Objects in the oldest generation from which it is collected: 0.5 to 1 ms."""

FREEZE_FROM: Final = 1_000
"""Objects that survived, from which they are frozen."""

FREEZE_AFTER_S: Final = 30.0
"""How long nothing must have become garbage before survivors are frozen; a call and its requests take less."""

FREEZE_GROWTH: Final = 4_000
"""New objects in the oldest generation in one tick that are frozen at once: a plan, or very many connections."""

_MAX_GARBAGE_SHARE: Final = 0.02
"""Share of garbage that counts as none."""


class Step(enum.Enum):
    """What `choose_step` decides."""

    NOTHING = "nothing"
    COLLECT = "collect"
    COLLECT_AND_FREEZE = "collect and freeze"
    FREEZE = "freeze"


def choose_step(old: int, before: int, kept: int, waited_s: float) -> Step:
    """Returns what to do with `old` objects in the oldest generation.

    It had `before` of them at the last tick. `kept` of them survived its last collection. For `waited_s` they hold no
    garbage.
    """
    if old - before > FREEZE_GROWTH:
        return Step.FREEZE
    if kept >= FREEZE_FROM and waited_s >= FREEZE_AFTER_S:
        return Step.COLLECT_AND_FREEZE
    return Step.COLLECT if old >= max(COLLECT_FROM, 2 * kept) else Step.NOTHING


def count_old_objects() -> int:
    """Returns the number of objects in the oldest generation.

    No thread runs between the three C calls. Another one may be building a tuple from a generator; while a list has a
    second reference to it, the tuple cannot grow (SystemError).
    """
    return next(map(len, map(gc.get_objects, (2,))))


class GarbageCollection:
    """Keeps collections short. Call `start` once everything is loaded, then `tick` about every 0.1 s.

    Calls, tokens and connections leave no reference cycles: they are freed when their last reference goes. Remembered
    tokens are not tracked at all (`untrack`). Other objects that survive, most of them of connections, are frozen: the
    collector does not look at them again. So it looks at a few thousand new objects, and finds the cycles of others:
    failed statements of the ledger leave some.

    A cycle that is frozen before it becomes garbage is never freed. So survivors are frozen only after a time without
    garbage; while the ledger fails, they are collected as usual. The exception are thousands of objects in one tick:
    they are frozen uncollected, because a collection of a whole plan takes 20 ms.

    PERF: a full collection with 1,000,000 remembered tokens took 1.9 s.
    """

    def __init__(self) -> None:
        self._before = self._kept = 0
        self._clean_since = 0.0

    def start(self) -> None:
        """Freezes all objects and sets the thresholds of the collector."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_THRESHOLD, _MIDDLE, _NEVER)

    def tick(self, now: float) -> None:
        """Collects or freezes the oldest generation at `now` (monotonic), if it has grown enough."""
        old = count_old_objects()  # PERF: 0.02 ms for 2,000
        step = choose_step(old, self._before, self._kept, now - self._clean_since)
        if step in {Step.COLLECT, Step.COLLECT_AND_FREEZE}:
            garbage = gc.collect()
            if garbage > _MAX_GARBAGE_SHARE * old or self._kept < FREEZE_FROM:  # or growth has just begun
                self._clean_since = now
                step = Step.COLLECT
            self._kept = old = count_old_objects()
        if step in {Step.FREEZE, Step.COLLECT_AND_FREEZE}:
            gc.freeze()
            self._kept = old = 0
        self._before = old
