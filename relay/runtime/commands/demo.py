"""`relay demo`: makes every authentication, data and support call once, against a relay of its own."""

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

from relay.domain.ledger import LedgerDown
from relay.infra.ledger.key_fingerprints import CustomerKeyError
from relay.infra.ledger.schema import SchemaError
from relay.policy.response.conformance import find_violations
from relay.runtime.processes.sandbox_environment import RelayDied, RunningEnvironment, run, running_environment
from relay.runtime.wiring.ledger import LedgerSettingsError
from relay.sandbox.authority_client import AuthorityClient
from relay.sandbox.figures import Figures
from relay.sandbox.operator import Call, SimulatedOperator, open_session
from relay.sandbox.portal_registration import now
from relay.sandbox.portal_scenario import SUPPORT_CALLS, PortalScenario, open_callers
from relay.sandbox.provider import today_in_korea
from relay.sandbox.scenario import AUTHORITY_CALLS, TokenScenario

FOREIGN: Final = "the ledger holds other keys than the sandbox's and was not changed: name an empty database"
EXAMPLES: Final = """\b
Examples:
  relay demo
  relay demo --json | tail -1
  relay demo --dir /tmp/sandbox   (keeps settings, certificates and logs)
  relay demo --ledger postgresql://postgres@/demo?host=/run/postgresql
"""


@click.command(epilog=EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="One JSON line for each call, the summary last.")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Keep the sandbox here.  [default: temporary]")
@click.option("--ledger", default="", metavar="URL", help="Another ledger, postgresql://...  [default: a file]")
def command(folder: Path | None, ledger: str, *, as_json: bool) -> None:
    """Start relay and sandbox on free ports and make every call once.

    Exit code 0 when every answer was right, 1 otherwise.
    """
    with nullcontext(str(folder)) if folder else tempfile.TemporaryDirectory(prefix="relay-demo-") as path:
        try:
            calls = run(_print_lines(Path(path), ledger) if as_json else _print_table(Path(path), ledger))
        except CustomerKeyError as error:
            raise click.ClickException(FOREIGN) from error
        except LedgerDown as error:
            raise click.ClickException(f"the ledger does not answer ({error})") from error
        except (RelayDied, LedgerSettingsError, SchemaError, OSError) as error:
            raise click.ClickException(str(error)) from error
    raise SystemExit(0 if calls and all(call.ok for call in calls) else 1)


async def _print_lines(folder: Path, ledger: str) -> list[Call]:
    async with running_environment(folder, ledger=ledger, portal=True) as running:
        calls = await _make_calls(running, lambda call: click.echo(json.dumps(call.row(), ensure_ascii=False)))
    click.echo(json.dumps({"summary": {"calls": len(calls), "ok": sum(call.ok for call in calls)}}))
    return calls


async def _print_table(folder: Path, ledger: str) -> list[Call]:
    console = Console()
    started = datetime.now(UTC)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting relay and sandbox", total=None)
        async with running_environment(folder, ledger=ledger, portal=True) as running:
            pairs = sum(1 for industry in running.street.institutions for _ in running.catalogue.iter_apis(industry))
            progress.update(task, description="calling", total=pairs + AUTHORITY_CALLS + SUPPORT_CALLS)
            calls = await _make_calls(running, lambda _: progress.advance(task))
    console.print(_build_table(calls))
    ok = sum(call.ok for call in calls)
    calls_ms = sum(call.ms for call in calls)
    total_s = (datetime.now(UTC) - started).total_seconds()
    console.print(f"{ok} of {len(calls)} calls ok, {calls_ms:.0f} ms in calls, {total_s:.1f} s in total")
    return calls


async def _make_calls(running: RunningEnvironment, report: Callable[[Call], object]) -> list[Call]:
    """Makes all calls in the order of a day: registry, tokens, data, support APIs, statistics."""
    environment, portal_model, portal = running.street, running.street.portal, running.portal
    if portal_model is None or portal is None:
        raise RuntimeError("a demo needs a sandbox with a portal")
    calls = list[Call]()

    def add(call: Call) -> None:
        report(call)
        calls.append(call)

    caller, bank, figures = environment.operators[0], environment.institutions["bank"], Figures(now)
    async with (
        open_session(caller.identity, environment.certificates.ca) as session,
        open_callers(environment, portal_model, running.catalogue, find_violations) as callers,
    ):
        client = AuthorityClient(session, environment.gateway, caller, running.catalogue, find_violations, figures)
        operator = SimulatedOperator(
            session,
            environment.gateway,
            org_code=caller.org_code,
            client_id=caller.client_ids[0],
            check=find_violations,
            today=today_in_korea(),
            figures=figures,
        )
        day = PortalScenario(portal, environment, callers, running.catalogue, figures, add, now())
        await day.begin(lambda: client.check_registration(bank))
        scenario = TokenScenario(client, environment, add)
        tokens = await scenario.obtain()
        async for call in operator.walk(running.catalogue, tokens):
            add(call)
        await day.ask()
        await scenario.end(operator, running.catalogue)
        await day.end()
    return calls


def _build_table(calls: list[Call]) -> Table:
    others = (Column(name, no_wrap=True) for name in ("answer", "ms", ""))
    columns = (Column("API", no_wrap=True), Column("", no_wrap=True), Column("path", overflow="fold"), *others)
    table = Table(*columns, box=None, padding=(0, 1, 0, 0))
    for index, call in enumerate(calls):
        if index and calls[index - 1].industry != call.industry:
            table.add_row()
        result = "[green]ok[/]" if call.ok else "[red]no[/]"
        answer = f"{call.status} {call.rsp_code}"
        table.add_row(call.api_id, call.method, escape(call.path), answer, f"{call.ms:.1f}", result)
        for fault in call.why:
            table.add_row("", "", f"[red]{escape(fault)}[/]")
    return table
