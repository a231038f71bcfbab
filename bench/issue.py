"""What a token costs: the authority behind its gateway, on SQLite and on PostgreSQL. See bench/README.md."""

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
from rich.console import Console
from rich.table import Table
from rig.issuing import CASES, Bench, IssueFailed, Run, Watched, apart, authority_of, session_for, without_limits
from rig.layout import OUT
from rig.measure import STEAL_LIMIT
from rig.postgresql import PostgreSql

from relay.runtime.processes.sandbox_environment import RelayDied, neighbourhood, run

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
"""What the table shows of a case's medians."""


@contextmanager
def database(kind: str) -> Iterator[tuple[str, int | None]]:
    """A ledger's URL ("" for a file in the street's folder) and the pid of its server, if it has one."""
    if kind == "sqlite":
        yield "", None
        return
    server = PostgreSql(durable=True)
    server.start()
    try:
        yield server.database(), server.pid
    finally:
        server.stop()


async def measured(kind: str, count: int, rounds: int, console: Console) -> list[Run]:
    """All rounds on one ledger; the first tokens, which find everything cold, are not counted."""
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="issue-") as place, database(kind) as (url, server):
        async with neighbourhood(Path(place) / "street", ledger=url) as around, session_for(around) as session:
            await without_limits(around)
            watched = Watched(authority_of(around.pid), around.pid, server)
            bench = Bench(around, kind, watched, session)
            with apart(watched):
                await bench.round(max(2, count // 10))
                for number in range(rounds):
                    runs += await bench.round(count)
                    for one in runs[-len(CASES) :]:
                        console.print(f"{kind:10} {number + 1}/{rounds} {_line(one)}", highlight=False)
    return runs


def _line(one: Run) -> str:
    return (
        f"{one.case:18} {one.tokens / one.seconds:6,.0f} tokens/s {one.authority_ms:6.2f} ms  "
        f"waited {one.waited:4.0%}  steal {one.steal:.1%}"
    )


def medians(runs: list[Run]) -> dict[str, Any]:
    """Ledger, case, medians of the runs that the host left alone; of all where it left none alone."""
    found: dict[str, Any] = {}
    for kind, case in dict.fromkeys((one.ledger, one.case) for one in runs):
        mine = [one for one in runs if (one.ledger, one.case) == (kind, case)]
        used = [one for one in mine if one.steal <= STEAL_LIMIT] or mine
        told = {
            name: round(median(getattr(one, name) for one in used), 3)
            for name in ("authority_ms", "gateway_ms", "ledger_ms", "waited", "p50_ms", "p99_ms")
        }
        rate = round(median(one.tokens / one.seconds for one in used), 1)
        found.setdefault(kind, {})[case] = {"rate": rate} | told | {"kept": len(used), "total": len(mine)}
    return found


def table_of(found: dict[str, Any]) -> Table:
    """For people."""
    table = Table(title="CPU per token (medians)", title_justify="left")
    for head in ("ledger", "token"):
        table.add_column(head)
    for head in COLUMNS:
        table.add_column(head, justify="right")
    for kind, cases in found.items():
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
            runs += run(measured(kind, count or (100 if quick else 500), rounds or (3 if quick else 6), console))
        except (IssueFailed, RelayDied) as error:
            raise click.ClickException(str(error)) from error
    found = medians(runs)
    OUT.mkdir(parents=True, exist_ok=True)
    result = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "ledgers": found, "runs": list(map(asdict, runs))}
    (OUT / "issue.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(table_of(found))
    console.print(f"{len(runs)} runs, {time.monotonic() - begun:.0f} s, bench/out/issue.json")


if __name__ == "__main__":
    main()
