"""Measures what a token costs the authority, on SQLite and on PostgreSQL. See bench/README.md."""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import click
from harness.issuing import (
    CASES,
    Bench,
    IssueFailed,
    Processes,
    Run,
    find_authority,
    lift_limits,
    pinned_apart,
    session_for,
)
from harness.layout import OUT
from harness.measure import STEAL_LIMIT
from harness.postgresql import PostgreSql
from mydata_sandbox.environment.running import RelayDied, run, running_environment
from rich.console import Console
from rich.table import Table

LEDGERS: Final = ("sqlite", "postgresql")
COLUMNS: Final = {
    "tokens/s": "{rate:,.0f}",
    "authority ms": "{authority_ms:.2f}",
    "gateway ms": "{gateway_ms:.2f}",
    "PostgreSQL ms": "{ledger_ms:.2f}",
    "p50 ms": "{p50_ms:.1f}",
    "p99 ms": "{p99_ms:.1f}",
    "waited": "{waited:.0%}",
}
"""Columns of the table and their format."""


@contextmanager
def database(kind: str) -> Iterator[tuple[str, int | None]]:
    """Yields a ledger's URL ("" for a file in the sandbox's folder) and the pid of its server, if it has one."""
    if kind == "sqlite":
        yield "", None
        return
    server = PostgreSql(durable=True)
    server.start()
    try:
        yield server.database(), server.pid
    finally:
        server.stop()


async def measure(kind: str, count: int, rounds: int, console: Console) -> list[Run]:
    """Measures all rounds on one ledger; the first tokens warm up and are not counted."""
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="issue-") as folder, database(kind) as (url, server):
        async with (
            running_environment(Path(folder) / "sandbox", ledger=url) as running,
            session_for(running) as session,
        ):
            await lift_limits(running)
            processes = Processes(find_authority(running.pid), running.pid, server)
            bench = Bench(running, kind, processes, session)
            with pinned_apart(processes):
                await bench.round(max(2, count // 10))
                for number in range(rounds):
                    runs += await bench.round(count)
                    for each in runs[-len(CASES) :]:
                        console.print(f"{kind:10} {number + 1}/{rounds} {_line(each)}", highlight=False)
    return runs


def _line(result: Run) -> str:
    return (
        f"{result.case:18} {result.tokens / result.seconds:6,.0f} tokens/s {result.authority_ms:6.2f} ms  "
        f"waited {result.waited:4.0%}  steal {result.steal:.1%}"
    )


def medians(runs: list[Run]) -> dict[str, Any]:
    """Returns medians by ledger and case, of runs below the steal limit, or of all when there is none."""
    figures: dict[str, Any] = {}
    for kind, case in dict.fromkeys((each.ledger, each.case) for each in runs):
        mine = [each for each in runs if (each.ledger, each.case) == (kind, case)]
        used = [each for each in mine if each.steal <= STEAL_LIMIT] or mine
        times = {
            name: round(median(getattr(each, name) for each in used), 3)
            for name in ("authority_ms", "gateway_ms", "ledger_ms", "waited", "p50_ms", "p99_ms")
        }
        rate = round(median(each.tokens / each.seconds for each in used), 1)
        figures.setdefault(kind, {})[case] = {"rate": rate} | times | {"kept": len(used), "total": len(mine)}
    return figures


def table_of(ledgers: dict[str, Any]) -> Table:
    """Returns the table for people."""
    table = Table(title="CPU per token (medians)", title_justify="left")
    for head in ("ledger", "token"):
        table.add_column(head)
    for head in COLUMNS:
        table.add_column(head, justify="right")
    for kind, cases in ledgers.items():
        for number, (case, figures) in enumerate(cases.items()):
            cells = (form.format(**figures) for form in COLUMNS.values())
            table.add_row(kind if number == 0 else "", CASES[case], *cells, end_section=number == len(cases) - 1)
    return table


def _chosen(text: str) -> list[str]:
    names = text.split(",") if text else list(LEDGERS)
    if wrong := set(names).difference(LEDGERS):
        raise click.BadParameter(f"{', '.join(sorted(wrong))}: there is only {', '.join(LEDGERS)}")
    return names


@click.command()
@click.option("--ledger", "ledgers", default="", help=f"Ledgers, separated by commas: {', '.join(LEDGERS)}.")
@click.option("--count", type=click.IntRange(2), help="Tokens in one run.")
@click.option("--rounds", type=click.IntRange(1), help="Runs of each case.")
def main(*, ledgers: str, count: int | None, rounds: int | None) -> None:
    """Measure what codes, refreshes and signed consents cost; QUICK=1 in the environment shortens it."""
    console = Console(width=None if os.isatty(1) else 120)
    quick, begun = os.environ.get("QUICK", "") not in {"", "0"}, time.monotonic()
    runs: list[Run] = []
    for kind in _chosen(ledgers):
        try:
            runs += run(measure(kind, count or (100 if quick else 500), rounds or (3 if quick else 6), console))
        except (IssueFailed, RelayDied) as error:
            raise click.ClickException(str(error)) from error
    figures = medians(runs)
    OUT.mkdir(parents=True, exist_ok=True)
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "ledgers": figures,
        "runs": list(map(asdict, runs)),
    }
    (OUT / "issue.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(table_of(figures))
    console.print(f"{len(runs)} runs, {time.monotonic() - begun:.0f} s, bench/out/issue.json")


if __name__ == "__main__":
    main()
