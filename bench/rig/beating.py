"""A gateway with a heart: the same process as `relay serve --role gateway`, and how long its loop was busy at a time.

Run as a script: beating.py CONFIG BEATS. It looks at the registry once for each SIGUSR1, so that whoever wrote it is
done with that, and writes one JSON line to the file BEATS when it has taken what changed.
"""

import asyncio
import gc
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import uvloop

from relay.domain.registry import Registry
from relay.runtime.processes.gateway import RelayProcess

BEAT_S: Final = 0.001
_AFTER_S: Final = 0.5
"""What a change stirs up (a collection, connections that end) shows within this time."""


class Heart:
    """Beats each millisecond on the loop of the gateway. What is told counts since the last telling."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wall, self._cpu = time.perf_counter(), time.thread_time()
        self._began = 0.0
        self.reset()
        gc.callbacks.append(self._collecting)
        self._beat()

    def reset(self) -> None:
        """Count from now on."""
        self._late, self._busy, self._collected = [0.0], [0.0], [0.0]

    def tell(self) -> dict[str, float]:
        """The longest times in ms: a beat was late, the loop's own CPU between two beats, a collection."""
        told = {"stall_ms": max(self._late), "busy_ms": max(self._busy), "collected_ms": max(self._collected)}
        self.reset()
        return {name: round(value * 1000, 2) for name, value in told.items()}

    def _beat(self) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        self._late.append(wall - self._wall - BEAT_S)
        self._busy.append(cpu - self._cpu)
        self._wall, self._cpu = wall, cpu
        self._loop.call_later(BEAT_S, self._beat)

    def _collecting(self, phase: str, _: object) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._began = now
        else:
            self._collected.append(now - self._began)


class Watched:
    """Times what a gateway does when the registry changed."""

    def __init__(self, process: RelayProcess, heart: Heart, beats: Path) -> None:
        self._relay, self._heart, self._beats = process.relay, heart, beats
        self._hear, self._acquaint = self._relay.registry.hear, self._relay.acquaint
        self._telling: asyncio.Task[None] | None = None
        setattr(self._relay.registry, "hear", self._heard)  # noqa: B010 - for mypy they are no variables
        setattr(self._relay, "acquaint", self._acquainted)  # noqa: B010
        self._read_s = 0.0
        self._looks = True  # once before the first call
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._look)

    def _look(self) -> None:
        self._looks = True
        self._heart.reset()

    async def _heard(self) -> bool:
        if not self._looks:
            return False
        self._looks = False
        changed: bool
        changed, self._read_s = await _timed(self._hear)
        return changed

    async def _acquainted(self, registry: Registry) -> None:
        _, took = await _timed(lambda: self._acquaint(registry))
        told = {
            "number": registry.number,
            "read_ms": round(self._read_s * 1000, 1),
            "compile_ms": round(took * 1000, 1),
            "operators": len(self._relay.gateway.plan.callers.everyone),
        }
        self._telling = asyncio.create_task(self._tell(told))

    async def _tell(self, told: dict[str, float]) -> None:
        await asyncio.sleep(_AFTER_S)
        with self._beats.open("a") as file:
            file.write(json.dumps(told | self._heart.tell()) + "\n")


async def _timed(work: Callable[[], Awaitable[Any]]) -> tuple[Any, float]:
    began = time.perf_counter()
    done = await work()
    return done, time.perf_counter() - began


async def main(config: Path, beats: Path) -> None:
    """Serve until told to stop."""
    process = RelayProcess(config)
    Watched(process, Heart(asyncio.get_running_loop()), beats)
    await process.run()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
