"""The number of CPUs that this process may use."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUPS: Final = Path("/proc/self/cgroup")
_UNLIMITED: Final = "max"


def count_usable_cpus(cgroups: Path = _CGROUPS, own_cgroups: Path = _OWN_CGROUPS) -> int:
    """Returns the CPUs of the affinity, fewer if a CPU quota of the control group (version 2) allows fewer.

    A quota of 1.5 CPUs counts as 2: a part of a CPU needs a process, too.
    """
    usable = len(os.sched_getaffinity(0))
    for quota in _iter_quotas(cgroups, own_cgroups):
        usable = min(usable, max(1, quota))
    return usable


def _iter_quotas(cgroups: Path, own_cgroups: Path) -> Iterator[int]:
    """Yields the quota in CPUs, rounded up, of each control group from the own one to the root."""
    folder = _find_own_group(cgroups, own_cgroups)
    while folder is not None:
        try:
            limit, period = (folder / "cpu.max").read_text().split()
        except (OSError, ValueError):
            limit, period = _UNLIMITED, "1"
        if limit.isdigit() and period.isdigit() and int(period):
            yield -(-int(limit) // int(period))
        folder = None if folder == cgroups else folder.parent


def _find_own_group(cgroups: Path, own_cgroups: Path) -> Path | None:
    """Returns the folder of the own control group of version 2, None without one."""
    try:
        lines = own_cgroups.read_text().splitlines()
    except OSError:
        return None
    paths = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    return cgroups / paths[0] if paths and ".." not in Path(paths[0]).parts else None
