"""Compares the relay's scanners of heads with llhttp over many mutated heads; ends with 1 if they differ.

.venv/bin/python bench/head_differential.py --heads 10000000 --processes 2
"""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

from harness.head_difference import SCANNERS, compare

SLICE = 20_000
"""Heads of one task. Each task has a seed of its own, so that a difference can be found again."""
REPORTED = 50 * SLICE
SHOWN = 20


def main() -> int:
    """Compares and prints. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, default=1_000_000, help="number of heads (default 1000000)")
    parser.add_argument("--processes", type=int, default=1, help="number of processes (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first task (default 0)")
    options = parser.parse_args()
    tasks = max(1, options.heads // SLICE)
    begun, verdicts, differences = time.monotonic(), Counter[str](), list[str]()
    print(f"comparing: scanners={'+'.join(SCANNERS)} heads={tasks * SLICE} first_seed={options.seed}", flush=True)
    with ProcessPoolExecutor(options.processes) as pool:
        seeds = range(options.seed, options.seed + tasks)
        for task_verdicts, task_differences in pool.map(compare, seeds, repeat(SLICE)):
            verdicts.update(task_verdicts)
            differences += task_differences
            if verdicts.total() % REPORTED == 0:
                print(f"heads={verdicts.total()} differences={len(differences)}", flush=True)
    for difference in differences[:SHOWN]:
        print(difference)
    for verdict, count in verdicts.most_common():
        print(f"{verdict:20} {count:12}")
    print(f"{verdicts.total()} heads in {time.monotonic() - begun:.0f} s, {len(differences)} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
