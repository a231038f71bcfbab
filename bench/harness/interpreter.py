"""Chooses the Python of gateways in Python: the fastest 3.11 of this machine.

A build with profile-guided optimisation (Debian's) needs a quarter to a third less CPU for the same code than one
without (many self-built ones), and its configuration does not show it reliably. So it is measured.
"""

import subprocess
import sys
from typing import Final

SYSTEM: Final = "/usr/bin/python3.11"
MUCH: Final = 0.9

_SAMPLE: Final = """
import sys, time
def work(n):
    numbers = dict()
    for i in range(n):
        numbers[str(i % 97)] = (i, len(numbers))
    return numbers
def once():
    began = time.process_time()
    work(200_000)
    return time.process_time() - began
print(sys.version_info[:2] == @VERSION@ and min(once() for _ in range(5)))
"""


def cost(python: str) -> float:
    """Returns CPU seconds of a fixed computation; infinity when the interpreter cannot run or is another 3.x."""
    sample = _SAMPLE.replace("@VERSION@", repr(sys.version_info[:2]))
    try:
        done = subprocess.run([python, "-c", sample], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return float("inf")
    return float(done.stdout) if done.stdout.strip() != "False" else float("inf")


def quickest(own: str = sys.executable, other: str = SYSTEM) -> str:
    """Returns `other` when it is much faster than `own`, else `own`; the best of seven alternating rounds counts."""
    costs = [(cost(own), cost(other)) for _ in range(7)]
    return other if min(theirs for _, theirs in costs) < MUCH * min(ours for ours, _ in costs) else own
