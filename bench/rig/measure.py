"""One run of one case on one gateway; half load; readers that stop reading."""

import time
from dataclasses import dataclass
from threading import Event, Thread
from typing import Final

from rig import procfs
from rig.cases import CASES, CONNECTIONS, Case
from rig.gateways import Gateway
from rig.identity import Identity
from rig.layout import SIZES
from rig.load import Load, generator

STEAL_LIMIT: Final = 0.05
"""A run during which the host took more than this share of the machine is not counted. Fixed, never tuned to a run."""

SETTLE_S: Final = 0.2
"""After each run: buffered logs get out of the way of the next gateway's run."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run as it was, kept or not. `waited`: the share of it in which the gateway could run but others ran."""

    case: str
    gateway: str
    cpu_us: float
    ticks_us: float
    steal: float
    waited: float
    load: Load

    @property
    def kept(self) -> bool:
        """Whether the host left us alone."""
        return self.steal <= STEAL_LIMIT


@dataclass(frozen=True, slots=True)
class Rig:
    """What every run needs."""

    identity: Identity
    program: str
    core: int
    upstreams: dict[str, int]
    pids: dict[str, int]


def run(rig: Rig, gateway: Gateway, case: Case, seconds: float, warm: float) -> Run:
    """Closed loop; CPU counted from the first timed request to the last answer."""
    flags = [*case.flags(rig.identity), "--port", str(getattr(gateway.ports, case.door))]
    flags += ["--connections", str(CONNECTIONS), "--seconds", str(seconds), "--warm", str(warm)]
    with generator(rig.program, rig.core, flags) as load:
        family = procfs.tree(rig.pids[gateway.name])
        before, cpu, ticks = procfs.clock(), procfs.spent(family), procfs.ticks_us(family)
        load.go()
        seen = load.result()
        spent, spent_ticks = procfs.spent(family).since(cpu), procfs.ticks_us(family) - ticks
        steal = procfs.clock().steal_since(before)
    time.sleep(SETTLE_S)
    count = max(1, seen.requests)
    waited = spent.waited_us / 1e6 / seen.seconds
    return Run(case.name, gateway.name, spent.cpu_us / count, spent_ticks / count, steal, waited, seen)


def _paced(rig: Rig, port: int, case: Case, rate: float, seconds: float) -> Load:
    flags = [*case.flags(rig.identity), "--port", str(port), "--connections", str(CONNECTIONS)]
    flags += ["--seconds", str(seconds), "--warm", "0.3", "--rate", f"{rate:.1f}"]
    with generator(rig.program, rig.core, flags) as load:
        load.go()
        return load.result()


@dataclass(frozen=True, slots=True)
class Pair:
    """The same pace straight to the provider and through the gateway, one after the other."""

    direct: Load
    through: Load
    steal: float
    waited: float

    @property
    def kept(self) -> bool:
        """By the same rule as runs."""
        return self.steal <= STEAL_LIMIT


def half_load(rig: Rig, gateway: Gateway, rate: float, seconds: float) -> Pair:
    """What the gateway adds to the time of a request when it is half busy: latency counts from when it was due."""
    case, before = CASES["get"], procfs.clock()
    direct = _paced(rig, rig.upstreams[case.provider], case, rate, seconds)
    family = procfs.tree(rig.pids[gateway.name])
    counted = procfs.spent(family)
    through = _paced(rig, gateway.ports.plain, case, rate, seconds)
    waited = procfs.spent(family).since(counted).waited_us / 1e6 / seconds
    return Pair(direct, through, procfs.clock().steal_since(before), waited)


@dataclass(frozen=True, slots=True)
class Stalled:
    """Memory held for readers that stopped reading, and whether all of them got their whole answer in the end."""

    gateway: str
    connections: int
    answer_mb: float
    before_mb: float
    peak_mb: float
    load: Load

    @property
    def grown_mb(self) -> float:
        """How much memory the readers held."""
        return self.peak_mb - self.before_mb


def _peak(pids: list[int], stop: Event, found: list[float]) -> None:
    while not stop.wait(0.05):
        found.append(procfs.rss_mb(pids))


def stalled(rig: Rig, gateway: Gateway, case: Case, connections: int, seconds: float) -> Stalled:
    """Ask on many connections, read nothing for a while (with small receive buffers), then read everything."""
    flags = [*case.flags(rig.identity), "--port", str(getattr(gateway.ports, case.door))]
    flags += ["--connections", str(connections), "--stall", str(seconds)]
    with generator(rig.program, rig.core, flags) as load:
        family = procfs.tree(rig.pids[gateway.name])
        before, sizes, stop = procfs.rss_mb(family), [], Event()
        sampler = Thread(target=_peak, args=(family, stop, sizes), daemon=True)
        sampler.start()
        load.go()
        seen = load.result()
        stop.set()
        sampler.join()
    answer_mb = SIZES[case.provider] / (1 << 20)
    return Stalled(gateway.name, connections, answer_mb, before, max([before, *sizes]), seen)
