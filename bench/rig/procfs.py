"""What the kernel counts: CPU time and memory of a process tree, and what the host took away."""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


def tree(root: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue  # it ended while we looked
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


@dataclass(frozen=True, slots=True)
class Spent:
    """What the scheduler counts for all threads of some processes, in microseconds: running, and waiting to run."""

    cpu_us: float
    waited_us: float

    def since(self, before: "Spent") -> "Spent":
        """The difference."""
        return Spent(self.cpu_us - before.cpu_us, self.waited_us - before.waited_us)


def tasks(pid: int) -> list[Path]:
    """The threads of a process; none of one that has ended."""
    try:
        return list((PROC / str(pid) / "task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def spent(pids: list[int]) -> Spent:
    """So far, to the nanosecond. Waiting tells how much of the core others took: CPU time does not count it."""
    ran = waited = 0
    for pid in pids:
        for task in tasks(pid):
            try:
                fields = (task / "schedstat").read_text().split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            ran, waited = ran + int(fields[0]), waited + int(fields[1])
    return Spent(ran / 1000, waited / 1000)


def ticks_us(pids: list[int]) -> float:
    """The same from utime + stime: coarse, but it also holds the time of threads that have ended."""
    total = 0
    for pid in pids:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total * 1e6 / os.sysconf("SC_CLK_TCK")


def rss_mb(pids: list[int]) -> float:
    """Resident memory of the processes together."""
    total = 0
    for pid in pids:
        try:
            status = (PROC / str(pid) / "status").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
    return total / 1024


@dataclass(frozen=True, slots=True)
class Clock:
    """/proc/stat at one moment: all ticks, and those stolen by the host."""

    total: int
    stolen: int

    def steal_since(self, before: "Clock") -> float:
        """The share of the machine's time that the host took away since then."""
        return (self.stolen - before.stolen) / max(1, self.total - before.total)


def parse_clock(text: str) -> Clock:
    """The first line of /proc/stat (user nice system idle iowait irq softirq steal; guest is within user)."""
    ticks = [int(field) for field in text.splitlines()[0].split()[1:9]]
    return Clock(sum(ticks), ticks[7])


def clock() -> Clock:
    """Now."""
    return parse_clock((PROC / "stat").read_text())
