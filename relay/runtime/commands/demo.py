"""`relay demo`: every call of the standard's authentication, data and support APIs once, with a relay of its own."""

import json
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column, Table

from relay.domain.ledger import Unreachable
from relay.infra.ledger.key_fingerprints import KeysUnfit
from relay.infra.ledger.schema import SchemaProblem
from relay.policy.answer.conformance import faults_of
from relay.runtime.processes.sandbox_environment import Neighbourhood, RelayDied, neighbourhood, run
from relay.runtime.wiring.ledger import LedgerUnfit
from relay.sandbox.errands import Errands
from relay.sandbox.figures import Figures
from relay.sandbox.journey import AUTHORITY_CALLS, Journey
from relay.sandbox.operator import Call, PretendedOperator, session_of
from relay.sandbox.portal_day import SUPPORT_CALLS, PortalDay, callers_of
from relay.sandbox.provider import today_in_korea
from relay.sandbox.registered import now

FOREIGN: Final = "that ledger knows other keys than the sandbox's and is left alone: name an empty database"
EXAMPLES: Final = """\b
Examples:
  relay demo
  relay demo --json | tail -1
  relay demo --dir /tmp/street    (keeps settings, certificates and logs)
  relay demo --ledger postgresql://postgres@/demo?host=/run/postgresql
"""


@click.command(epilog=EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="One JSON line for each call, the summary last.")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Keep the street here.  [default: temporary]")
@click.option("--ledger", default="", metavar="URL", help="A ledger elsewhere, postgresql://...  [default: a file]")
def command(folder: Path | None, ledger: str, *, as_json: bool) -> None:
    """Start relay and street on free ports and make every call once.

    Ends with 0 when every answer was right, with 1 otherwise.
    """
    with nullcontext(str(folder)) if folder else tempfile.TemporaryDirectory(prefix="relay-demo-") as place:
        try:
            calls = run(_as_lines(Path(place), ledger) if as_json else _as_table(Path(place), ledger))
        except KeysUnfit as error:
            raise click.ClickException(FOREIGN) from error
        except Unreachable as error:
            raise click.ClickException(f"the ledger does not answer ({error})") from error
        except (RelayDied, LedgerUnfit, SchemaProblem, OSError) as error:
            raise click.ClickException(str(error)) from error
    raise SystemExit(0 if calls and all(call.ok for call in calls) else 1)


async def _as_lines(folder: Path, ledger: str) -> list[Call]:
    async with neighbourhood(folder, ledger=ledger, portal=True) as around:
        calls = await _walk(around, lambda call: click.echo(json.dumps(call.row(), ensure_ascii=False)))
    click.echo(json.dumps({"summary": {"calls": len(calls), "ok": sum(call.ok for call in calls)}}))
    return calls


async def _as_table(folder: Path, ledger: str) -> list[Call]:
    console = Console()
    started = datetime.now(UTC)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting relay and street", total=None)
        async with neighbourhood(folder, ledger=ledger, portal=True) as around:
            pairs = sum(1 for industry in around.street.institutions for _ in around.catalogue.of(industry))
            progress.update(task, description="calling", total=pairs + AUTHORITY_CALLS + SUPPORT_CALLS)
            calls = await _walk(around, lambda _: progress.advance(task))
    console.print(_table(calls))
    right = sum(call.ok for call in calls)
    spent = (datetime.now(UTC) - started).total_seconds()
    console.print(
        f"{right} of {len(calls)} calls ok, {sum(call.ms for call in calls):.0f} ms asking, {spent:.1f} s in all"
    )
    return calls


async def _walk(around: Neighbourhood, tell: Callable[[Call], object]) -> list[Call]:
    """All calls in the order of a day: the relay's registry, tokens, data, what the portal asks, statistics."""
    street, house, portal = around.street, around.street.portal, around.portal
    if house is None or portal is None:
        raise RuntimeError("a demo needs a street with a portal")
    calls = list[Call]()

    def said(call: Call) -> None:
        tell(call)
        calls.append(call)

    asker, bank, figures = street.operators[0], street.institutions["bank"], Figures(now)
    async with (
        session_of(asker.identity, street.certificates.ca) as session,
        callers_of(street, house, around.catalogue, faults_of) as callers,
    ):
        errands = Errands(session, street.gateway, asker, around.catalogue, faults_of, figures)
        operator = PretendedOperator(
            session,
            street.gateway,
            org_code=asker.org_code,
            client_id=asker.client_ids[0],
            check=faults_of,
            today=today_in_korea(),
            figures=figures,
        )
        day = PortalDay(portal, street, callers, around.catalogue, figures, said, now())
        await day.begin(lambda: errands.introduced(bank))
        journey = Journey(errands, street, said)
        visits = await journey.obtain()
        async for call in operator.walk(around.catalogue, visits):
            said(call)
        await day.ask()
        await journey.end(operator, around.catalogue)
        await day.end()
    return calls


def _table(calls: list[Call]) -> Table:
    whole = (Column(name, no_wrap=True) for name in ("answer", "ms", ""))
    columns = (Column("API", no_wrap=True), Column("", no_wrap=True), Column("path", overflow="fold"), *whole)
    table = Table(*columns, box=None, padding=(0, 1, 0, 0))
    for index, call in enumerate(calls):
        if index and calls[index - 1].industry != call.industry:
            table.add_row()
        mark = "[green]ok[/]" if call.ok else "[red]no[/]"
        answer = f"{call.status} {call.rsp_code}"
        table.add_row(call.api_id, call.method, escape(call.path), answer, f"{call.ms:.1f}", mark)
        for fault in call.why:
            table.add_row("", "", f"[red]{escape(fault)}[/]")
    return table
