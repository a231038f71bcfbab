"""Measures what stops the gateway's event loop, each cause by its name, in a gateway of its own.

bench/stalls.py                                  all causes, three rounds each
bench/stalls.py --only collection --size 1000000 one cause, with 1,000,000 tokens
bench/stalls.py --json > before.json             the same for machines
bench/stalls.py --before before.json             two columns: before and now
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from harness.layout import BENCH, ROOT
from harness.stall_causes import CAUSES

TIMEOUT_S: Final = 3600
WIDTH: Final = 80

COLUMNS: Final = {
    "stall_ms": "stall: how late the loop was at most",
    "busy_ms": "busy: CPU time of the loop between two turns, at most",
    "collected_ms": "collector: CPU time of the longest garbage collection",
}


def run_cause(cause: str, rounds: int, size: int) -> dict[str, Any]:
    """Measures one cause in a process of its own. Raises CalledProcessError, TimeoutExpired."""
    script = [sys.executable, str(BENCH / "harness" / "stall_causes.py"), cause, str(rounds), str(size)]
    paths = (str(ROOT), str(BENCH), os.environ.get("PYTHONPATH", ""))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    run = subprocess.run(script, check=True, capture_output=True, env=environment, timeout=TIMEOUT_S)
    figures: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return figures


def summarize(figures: dict[str, Any]) -> dict[str, float]:
    """Returns the median over all rounds of each longest time: one round may meet another process."""
    return {name: statistics.median(each[name] for each in figures["rounds"]) for name in COLUMNS}


def format_table(results: list[dict[str, Any]], before: dict[str, dict[str, Any]]) -> str:
    """Returns the table for people, 80 columns wide."""
    heads = ("stall", "busy", "collector")
    lines = [f"{'ms, medians of the rounds' + ', before > now' * bool(before):44}" + "".join(f"{h:>12}" for h in heads)]
    for figures in results:
        text = CAUSES[figures["cause"]][2].format(f"{figures['size']:,}")
        former = before.get(figures["cause"])
        cells = []
        for name, value in summarize(figures).items():
            then = f"{summarize(former)[name]:.0f}>" if former else ""
            cells.append(f"{then}{value:.1f}")
        lines.append(f"{text[:44]:44}" + "".join(f"{cell:>12}" for cell in cells))
        notes = [f"{name}={value:,}" for name, value in figures.items() if name not in {"cause", "size", "rounds"}]
        lines.append(f"  {figures['cause']}: {' '.join(notes)}"[:WIDTH])
    return "\n".join([*lines, "", *COLUMNS.values()])


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """Returns the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(CAUSES), help="a cause; may be repeated")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each cause, 3 by default")
    parser.add_argument("--size", type=int, help="tokens, calls, institutions ... of each cause")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--before", type=Path, metavar="FILE", help="output of --json of an earlier version")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Measures and prints."""
    options = parse_options(arguments)
    before = {each["cause"]: each for each in json.loads(options.before.read_text())} if options.before else {}
    results = []
    for cause in options.only or CAUSES:
        try:
            results.append(run_cause(cause, options.rounds, options.size or CAUSES[cause][1]))
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"{cause} failed: {error.stderr.decode(errors='replace').strip().splitlines()[-1]}\n")
            return 1
    sys.stdout.write(json.dumps(results, indent=2) + "\n" if options.json else format_table(results, before) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
