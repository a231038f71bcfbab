"""The process of `relay serve --role gateway` with a probe of its event loop's lag.

Run it with CONFIG and OUTPUT. It reads the registry once for each SIGUSR1, after the writer has finished, and appends
one JSON line to the file OUTPUT when it has applied the changes.
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
from relay.runtime.processes.gateway import GatewayProcess

INTERVAL_S: Final = 0.001
_AFTER_S: Final = 0.5
"""Consequences of a change (a collection, connections that end) appear within this time."""


class LagProbe:
    """Measures the lag of an event loop each millisecond. `report` covers the time since the last report."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wall, self._cpu = time.perf_counter(), time.thread_time()
        self._began = 0.0
        self.reset()
        gc.callbacks.append(self._on_collection)
        self._probe()

    def reset(self) -> None:
        """Starts a new measurement."""
        self._late, self._busy, self._collected = [0.0], [0.0], [0.0]

    def report(self) -> dict[str, float]:
        """Returns the longest times in ms: lag of the loop, CPU of the loop between probes, CPU of a collection."""
        longest = {"stall_ms": max(self._late), "busy_ms": max(self._busy), "collected_ms": max(self._collected)}
        self.reset()
        return {name: round(value * 1000, 2) for name, value in longest.items()}

    def _probe(self) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        self._late.append(wall - self._wall - INTERVAL_S)
        self._busy.append(cpu - self._cpu)
        self._wall, self._cpu = wall, cpu
        self._loop.call_later(INTERVAL_S, self._probe)

    def _on_collection(self, phase: str, _: object) -> None:
        now = time.thread_time()
        if phase == "start":
            self._began = now
        else:
            self._collected.append(now - self._began)


class RegistryTimer:
    """Times how a gateway reads and applies a changed registry."""

    def __init__(self, process: GatewayProcess, probe: LagProbe, output: Path) -> None:
        self._relay, self._probe, self._output = process.relay, probe, output
        self._read, self._apply = self._relay.registry.poll, self._relay.apply_registry
        self._reporting: asyncio.Task[None] | None = None
        setattr(self._relay.registry, "poll", self._timed_read)  # noqa: B010 - mypy refuses to assign methods
        setattr(self._relay, "apply_registry", self._timed_apply)  # noqa: B010
        self._read_s = 0.0
        self._is_requested = True  # once before the first call
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._request)

    def _request(self) -> None:
        self._is_requested = True
        self._probe.reset()

    async def _timed_read(self) -> bool:
        if not self._is_requested:
            return False
        self._is_requested = False
        changed: bool
        changed, self._read_s = await _timed(self._read)
        return changed

    async def _timed_apply(self, registry: Registry) -> None:
        _, took = await _timed(lambda: self._apply(registry))
        figures = {
            "number": registry.number,
            "read_ms": round(self._read_s * 1000, 1),
            "compile_ms": round(took * 1000, 1),
            "operators": len(self._relay.gateway.plan.callers.all),
        }
        self._reporting = asyncio.create_task(self._report(figures))

    async def _report(self, figures: dict[str, float]) -> None:
        await asyncio.sleep(_AFTER_S)
        with self._output.open("a") as file:
            file.write(json.dumps(figures | self._probe.report()) + "\n")


async def _timed(work: Callable[[], Awaitable[Any]]) -> tuple[Any, float]:
    started_at = time.perf_counter()
    result = await work()
    return result, time.perf_counter() - started_at


async def main(config: Path, output: Path) -> None:
    """Serves until a signal stops the gateway."""
    process = GatewayProcess(config)
    RegistryTimer(process, LagProbe(asyncio.get_running_loop()), output)
    await process.run()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
