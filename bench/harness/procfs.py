"""Reads CPU time and memory of a process tree, and steal time of the host, from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


def tree(root: int) -> list[int]:
    """Returns a process and all its descendants."""
    parents: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue  # the process ended meanwhile
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    pids = [root]
    for pid in pids:
        pids += [child for child, parent in parents.items() if parent == pid]
    return pids


@dataclass(frozen=True, slots=True)
class Spent:
    """Scheduler times of all threads of some processes, in microseconds: running, and waiting to run."""

    cpu_us: float
    waited_us: float

    def since(self, before: "Spent") -> "Spent":
        """Returns the difference."""
        return Spent(self.cpu_us - before.cpu_us, self.waited_us - before.waited_us)


def tasks(pid: int) -> list[Path]:
    """Returns the threads of a process; none of an ended one."""
    try:
        return list((PROC / str(pid) / "task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def spent(pids: list[int]) -> Spent:
    """Returns the times so far, to the nanosecond. Waiting shows how much of the core other processes took."""
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
    """Returns utime + stime: coarse, but with the time of ended threads."""
    total = 0
    for pid in pids:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total * 1e6 / os.sysconf("SC_CLK_TCK")


def rss_mb(pids: list[int]) -> float:
    """Returns the resident memory of the processes together."""
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
    """A snapshot of /proc/stat: all ticks, and those stolen by the host."""

    total: int
    stolen: int

    def steal_since(self, before: "Clock") -> float:
        """Returns the share of steal time since `before`."""
        return (self.stolen - before.stolen) / max(1, self.total - before.total)


def parse_clock(text: str) -> Clock:
    """Parses the first line of /proc/stat (user nice system idle iowait irq softirq steal; guest is within user)."""
    ticks = [int(field) for field in text.splitlines()[0].split()[1:9]]
    return Clock(sum(ticks), ticks[7])


def clock() -> Clock:
    """Returns a snapshot of now."""
    return parse_clock((PROC / "stat").read_text())
