"""Measures one run of one case on one gateway; half load; stalled readers."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Final

from harness import procfs
from harness.cases import CASES, CONNECTIONS, Case
from harness.gateways import Gateway
from harness.identity import Identity
from harness.layout import SIZES
from harness.load import Load, LoadFailed, generator

STEAL_LIMIT: Final = 0.05
"""A run with more steal time than this share is not counted. Fixed, never tuned to a run."""

LINE_S: Final = 0.5
"""Time between two lines of gateway_process.py."""

SETTLE_S: Final = 0.2
"""Pause after each run: buffered logs are written before the next gateway's run."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `waited` is the share in which the gateway was runnable but other processes ran."""

    case: str
    gateway: str
    cpu_us: float
    ticks_us: float
    steal: float
    waited: float
    load: Load

    @property
    def is_counted(self) -> bool:
        """Whether steal time was below the limit."""
        return self.steal <= STEAL_LIMIT


@dataclass(frozen=True, slots=True)
class Lag:
    """The longest times in ms: lag of the gateway's loop, its CPU between two probes, a garbage collection."""

    stall_ms: float
    busy_ms: float
    collected_ms: float


def read_lines(output: Path) -> list[dict[str, float]]:
    """Returns the lines of gateway_process.py."""
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def read_lag(output: Path, since: float) -> Lag:
    """Returns the largest figures of a probe from monotonic `since` on. Raises LoadFailed when there are none."""
    lines = [line for line in read_lines(output) if line["at"] - LINE_S >= since]
    if not lines:
        raise LoadFailed(f"{output} has no lines: the run is too short for the probe")
    return Lag(*(max(line[name] for line in lines) for name in ("stall_ms", "busy_ms", "collected_ms")))


@dataclass(frozen=True, slots=True)
class Harness:
    """Everything that a run needs."""

    identity: Identity
    program: str
    core: int
    upstreams: dict[str, int]
    pids: dict[str, int]


def timed(harness: Harness, label: tuple[str, str], flags: list[str], program: str = "") -> Run:
    """Runs the load with these flags on a started gateway; `label` is the case and the gateway.

    CPU counts from the first timed request to the last response.
    """
    case, gateway = label
    with generator(program or harness.program, harness.core, flags) as load:
        family = procfs.tree(harness.pids[gateway])
        before, cpu, ticks = procfs.clock(), procfs.spent(family), procfs.ticks_us(family)
        load.go()
        load_result = load.result()
        spent, spent_ticks = procfs.spent(family).since(cpu), procfs.ticks_us(family) - ticks
        steal = procfs.clock().steal_since(before)
    time.sleep(SETTLE_S)
    count = max(1, load_result.requests)
    waited = spent.waited_us / 1e6 / load_result.seconds
    return Run(case, gateway, spent.cpu_us / count, spent_ticks / count, steal, waited, load_result)


def run(harness: Harness, gateway: Gateway, case: Case, seconds: float, warm: float) -> Run:
    """Runs a closed loop of one case."""
    flags = [*case.flags(harness.identity), "--port", str(getattr(gateway.ports, case.listener))]
    flags += ["--connections", str(CONNECTIONS), "--seconds", str(seconds), "--warm", str(warm)]
    return timed(harness, (case.name, gateway.name), flags)


def paced(harness: Harness, port: int, case: Case, rate: float, seconds: float) -> Load:
    """Sends `rate` requests a second; latency counts from the scheduled time."""
    flags = [*case.flags(harness.identity), "--port", str(port), "--connections", str(CONNECTIONS)]
    flags += ["--seconds", str(seconds), "--warm", "0.3", "--rate", f"{rate:.1f}"]
    with generator(harness.program, harness.core, flags) as load:
        load.go()
        return load.result()


@dataclass(frozen=True, slots=True)
class Pair:
    """The same rate directly to the institution and through the gateway, one after the other."""

    direct: Load
    through: Load
    steal: float
    waited: float
    lag: Lag | None = None

    @property
    def is_counted(self) -> bool:
        """Whether steal time was below the limit."""
        return self.steal <= STEAL_LIMIT


def half_load(harness: Harness, gateway: Gateway, rate: float, seconds: float, output: Path | None = None) -> Pair:
    """Measures the latency that the gateway adds at half load; `output` is the file of its lag probe."""
    case, before = CASES["get"], procfs.clock()
    direct = paced(harness, harness.upstreams[case.provider], case, rate, seconds)
    family, begun = procfs.tree(harness.pids[gateway.name]), time.monotonic()
    counted = procfs.spent(family)
    through = paced(harness, gateway.ports.plain, case, rate, seconds)
    waited = procfs.spent(family).since(counted).waited_us / 1e6 / seconds
    steal = procfs.clock().steal_since(before)
    return Pair(direct, through, steal, waited, read_lag(output, begun) if output else None)


@dataclass(frozen=True, slots=True)
class Stalled:
    """Memory held for readers that stopped reading, and whether all got their whole response in the end."""

    gateway: str
    connections: int
    answer_mb: float
    before_mb: float
    peak_mb: float
    load: Load

    @property
    def grown_mb(self) -> float:
        """Memory that the readers held."""
        return self.peak_mb - self.before_mb


def _peak(pids: list[int], stop: Event, sizes: list[float]) -> None:
    while not stop.wait(0.05):
        sizes.append(procfs.rss_mb(pids))


def stalled(harness: Harness, gateway: Gateway, case: Case, connections: int, seconds: float) -> Stalled:
    """Sends requests on many connections, reads nothing for a while (small receive buffers), then reads everything."""
    flags = [*case.flags(harness.identity), "--port", str(getattr(gateway.ports, case.listener))]
    flags += ["--connections", str(connections), "--stall", str(seconds)]
    with generator(harness.program, harness.core, flags) as load:
        family = procfs.tree(harness.pids[gateway.name])
        before, sizes, stop = procfs.rss_mb(family), list[float](), Event()
        sampler = Thread(target=_peak, args=(family, stop, sizes), daemon=True)
        sampler.start()
        load.go()
        load_result = load.result()
        stop.set()
        sampler.join()
    answer_mb = SIZES[case.provider] / (1 << 20)
    return Stalled(gateway.name, connections, answer_mb, before, max([before, *sizes]), load_result)
