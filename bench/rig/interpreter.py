"""Which Python runs the gateways written in Python: the quickest 3.11 here, since only its users would choose another.

A build with profile-guided optimisation (Debian's) needs a quarter to a third less CPU for the same code than one
without (many self-built ones), and nothing in its configuration tells it reliably. So it is measured.
"""

import subprocess
import sys
from typing import Final

SYSTEM: Final = "/usr/bin/python3.11"
MUCH: Final = 0.9

_SAMPLE: Final = """
import sys, time
def work(n):
    found = dict()
    for i in range(n):
        found[str(i % 97)] = (i, len(found))
    return found
def once():
    began = time.process_time()
    work(200_000)
    return time.process_time() - began
print(sys.version_info[:2] == @VERSION@ and min(once() for _ in range(5)))
"""


def cost(python: str) -> float:
    """CPU seconds this interpreter needs for a fixed piece of work; infinite when it cannot run, or is another 3.x."""
    sample = _SAMPLE.replace("@VERSION@", repr(sys.version_info[:2]))
    try:
        done = subprocess.run([python, "-c", sample], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return float("inf")
    return float(done.stdout) if done.stdout.strip() != "False" else float("inf")


def quickest(own: str = sys.executable, other: str = SYSTEM) -> str:
    """`other` when it is much quicker than our own, else our own; asked in turn, the best of seven counts."""
    costs = [(cost(own), cost(other)) for _ in range(7)]
    return other if min(there for _, there in costs) < MUCH * min(here for here, _ in costs) else own
