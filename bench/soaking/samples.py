"""Samples of the relay's processes and of its metrics, and a verdict over them."""

import re
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final

from harness import procfs

GROWTH: Final = 1.05
"""Memory at the end over memory after two minutes."""

FLAT_FROM_S: Final = 120.0
WINDOW_S: Final = 60.0
"""Length of the two compared spans: after two minutes, and at the end."""

POOLED: Final = ("ledger.db", "ledger.db-wal", "ledger.db-shm")
"""Files of the ledger's connections, which are opened when they are needed and stay open."""

POOL: Final = 10
"""Most connections to the ledger (`ledger.connections`)."""

SPOOL_LOCK: Final = "lock"
"""The lock of the spool, which is opened with the first batch that waits and stays open."""

_ROLE: Final = re.compile(rb"--role\0(\w+)|relay\0(worker)")
_SERIES: Final = re.compile(r"^(relay_\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_GAUGES: Final = ("relay_connections", "relay_handshakes", "relay_in_flight", "relay_tasks")


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """Memory, open files and threads of one process; `kinds` counts its files by what they are."""

    rss_mb: float
    fds: int
    threads: int
    kinds: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """All processes of the relay by name, and the gauges of its metrics, at one time after the start."""

    at_s: float
    processes: dict[str, ProcessSample]
    gauges: dict[str, float]


def take_sample(root: int, admin: int, begun: float) -> Sample:
    """Samples the tree of processes below `root`."""
    processes: dict[str, ProcessSample] = {}
    for pid in procfs.tree(root):
        name = name_process((procfs.PROC / str(pid) / "cmdline").read_bytes(), is_root=pid == root)
        processes[name if name not in processes else f"{name} {pid}"] = read_process(pid)
    return Sample(round(time.monotonic() - begun, 1), processes, read_gauges(admin))


def name_process(command: bytes, *, is_root: bool) -> str:
    """Returns the role of a process."""
    if is_root:
        return "gateway"
    match = _ROLE.search(command)
    return (
        (match[1] or match[2]).decode()
        if match
        else command.replace(b"\0", b" ").decode(errors="replace")[-20:].strip()
    )


def read_process(pid: int) -> ProcessSample:
    """Reads /proc of one process."""
    kinds: Counter[str] = Counter()
    for entry in (procfs.PROC / str(pid) / "fd").iterdir():
        try:
            kinds[name_kind(str(entry.readlink()))] += 1
        except FileNotFoundError:
            continue
    return ProcessSample(
        round(procfs.rss_mb([pid]), 1), kinds.total(), len(procfs.tasks(pid)), dict(sorted(kinds.items()))
    )


def name_kind(target: str) -> str:
    """Returns what an open file is: `socket`, `pipe`, `anon_inode:...`, or the name of a file."""
    kind = re.sub(r":?\[\d+\]$", "", target)
    return Path(kind).name if kind.startswith("/") else kind


def read_gauges(admin: int) -> dict[str, float]:
    """Returns the gauges of the gateway that must return to their start, pools summed by state; empty on failure."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=5) as answer:
            return parse_gauges(answer.read().decode())
    except OSError:
        return {}


def parse_gauges(text: str) -> dict[str, float]:
    """Returns the gauges of a text of metrics."""
    gauges: Counter[str] = Counter()
    for name, labels, value in _SERIES.findall(text):
        if name in _GAUGES:
            gauges[name.removeprefix("relay_")] += float(value)
        elif name == "relay_upstream_pool":
            gauges["pool " + labels.partition('state="')[2].strip('"')] += float(value)
        elif name == "relay_faults_total" and 'reason="' in labels:
            gauges["fault " + labels.partition('reason="')[2].partition('"')[0]] += float(value)
    return dict(gauges)


def find_growth(samples: Sequence[Sample], name: str) -> tuple[float, float] | None:
    """Returns the median memory of a process after two minutes and at the end; None in a shorter run."""
    last = samples[-1].at_s
    if last < FLAT_FROM_S + 2 * WINDOW_S:
        return None
    early = _memory(samples, name, FLAT_FROM_S, FLAT_FROM_S + WINDOW_S)
    late = _memory(samples, name, last - WINDOW_S, last + 1)
    return (round(median(early), 1), round(median(late), 1)) if early and late else None


def _memory(samples: Iterable[Sample], name: str, begin: float, end: float) -> list[float]:
    within = (sample.processes for sample in samples if begin <= sample.at_s < end)
    return [processes[name].rss_mb for processes in within if name in processes]


def find_bad_lines(lines: Iterable[str]) -> list[str]:
    """Returns log lines of level ERROR or CRITICAL, and tracebacks with the line before each."""
    bad: list[str] = []
    for before, line in pairwise(["", *(line.rstrip("\n") for line in lines)]):
        if line.startswith("Traceback"):
            bad += [before, line] if before not in bad[-1:] else [line]
        elif re.match(r"\S+ \S+ (ERROR|CRITICAL) ", line) or "Task was destroyed" in line:
            bad.append(line)
    return bad


@dataclass(frozen=True, slots=True)
class Soak:
    """The result of a run: load samples, the sample before the load and the last one after it, and what happened."""

    samples: list[Sample]
    begin: Sample
    end: Sample
    bad_lines: list[str]
    reloads: tuple[int, int]
    failed: int
    counts: dict[str, Mapping[str, int]]

    @property
    def problems(self) -> list[str]:
        """Returns what is wrong, each in words."""
        problems = [f"log: {line}" for line in self.bad_lines]
        if self.reloads[0] != self.reloads[1]:
            problems.append(f"reloads applied: {self.reloads[0]} of {self.reloads[1]}")
        if self.failed:
            problems.append(f"good calls failed: {self.failed}")
        for name in self.begin.processes:
            growth = find_growth(self.samples, name)
            if growth and growth[1] > growth[0] * GROWTH:
                problems.append(f"{name}: memory grew from {growth[0]} to {growth[1]} MB")
        return problems + self.left_over

    @property
    def left_over(self) -> list[str]:
        """Returns the processes that ended, open files and gauges that have not returned to their start."""
        problems = []
        for name, begin in self.begin.processes.items():
            end = self.end.processes.get(name)
            if end is None:
                problems.append(f"{name}: the process ended")
            elif more := compare(begin.kinds, end.kinds):
                problems.append(f"{name}: open files left over: {more}")
        return problems + [
            f"{name} left over: {self.end.gauges.get(name, 0):g} instead of {value:g}"
            for name, value in self.begin.gauges.items()
            if not name.startswith("fault ") and self.end.gauges.get(name, 0) > value
        ]

    def row(self) -> dict[str, Any]:
        """Returns everything for JSON."""
        growths = {name: find_growth(self.samples, name) for name in self.begin.processes}
        return asdict(self) | {"problems": self.problems, "growth_mb": growths}


def compare(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """Returns the kinds of open files that have become more, with the difference; of pooled ones beyond the pool."""
    limits = dict(before) | dict.fromkeys(POOLED, POOL) | {SPOOL_LOCK: 1}
    return ", ".join(
        f"{kind} +{count - limits.get(kind, 0)}" for kind, count in after.items() if count > limits.get(kind, 0)
    )
