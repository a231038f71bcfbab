"""`mydata-sandbox demo`: makes every authentication, data and support call once, through a relay."""

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from mydata_sandbox.commands.demo_output import WIDTH, describe_failed, describe_next_steps, print_calls
from mydata_sandbox.commands.institution_option import institution_option
from mydata_sandbox.commands.relay_option import (
    DEFAULT_FOLDER,
    RELAY_HELP,
    RelayOption,
    parse_relay_option,
    relay_options,
    wait_with_messages,
)
from mydata_sandbox.environment.external import external_environment
from mydata_sandbox.environment.own_institution import OwnInstitution
from mydata_sandbox.environment.running import RelayDied, RunningEnvironment, run, running_environment
from mydata_sandbox.operator.client import Call
from mydata_sandbox.scenarios.all_calls import count_calls, make_all_calls

EXAMPLES: Final = """\b
Examples:
  mydata-sandbox demo
  mydata-sandbox demo --json | tail -1
  mydata-sandbox demo --dir /tmp/sandbox   (keeps settings, keys, logs)
  mydata-sandbox demo --ledger postgresql://postgres@127.0.0.1/demo
  mydata-sandbox demo --relay https://127.0.0.1:9443
  mydata-sandbox demo --institution my.yaml   (calls your server)
"""


@dataclass(frozen=True, slots=True)
class Options:
    """Where the sandbox is, the ledger of its relay, the relay that is started by hand, an own institution."""

    folder: Path
    ledger: str = ""
    relay: RelayOption | None = None
    own: OwnInstitution | None = None


@click.command(
    epilog=EXAMPLES,
    help=f"""Make every call of the standard once and validate the responses.

Without --relay it starts relay and sandbox on free ports, and stops them afterwards.
Exit code 0 when every response was right, 1 otherwise.

{RELAY_HELP}""",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line for each call, the summary last.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    help=f"Keep the sandbox here.  [default: temporary; with --relay {DEFAULT_FOLDER}]",
)
@click.option("--ledger", default="", metavar="URL", help="Another ledger, postgresql://...  [default: a file]")
@relay_options
@institution_option
def command(
    folder: Path | None,
    ledger: str,
    relay_url: str | None,
    address: str | None,
    wait_s: int,
    *,
    own: OwnInstitution | None,
    as_json: bool,
) -> None:
    """Make every call of the standard once and validate the responses."""
    relay = parse_relay_option(relay_url, address, wait_s)
    if relay is not None and ledger:
        raise click.UsageError("--ledger is for the relay that the sandbox starts: it does not go with --relay")
    if ledger and not ledger.startswith(("sqlite:", "postgres:", "postgresql:")):
        raise click.BadParameter("is neither sqlite:PATH nor postgresql://HOST/DATABASE", param_hint="--ledger")
    with _open_folder(folder, relay) as path:
        options = Options(Path(path), ledger, relay, own)
        try:
            calls = run(_print_lines(options) if as_json else _print_table(options))
        except BlockingIOError as error:
            raise click.ClickException(f"another sandbox runs in {path}: stop it, or name another --dir") from error
        except BrokenPipeError:
            raise  # the reader of the output has ended: click ends silently
        except (RelayDied, OSError) as error:
            hint = " (ledger.url holds the URL of --ledger)" if "ledger.url" in str(error) else ""
            message = str(error) if own is None else own.name_file(str(error), Path(path))
            raise click.ClickException(f"{message}{hint}") from error
    raise SystemExit(0 if calls and all(call.ok for call in calls) else 1)


def _open_folder(folder: Path | None, relay: RelayOption | None) -> AbstractContextManager[str]:
    if folder is None and relay is None:
        return tempfile.TemporaryDirectory(prefix="relay-demo-")
    return nullcontext(str(folder or DEFAULT_FOLDER))


@asynccontextmanager
async def _open(options: Options) -> AsyncIterator[RunningEnvironment]:
    """Starts sandbox and relay, or waits for the relay that is started by hand."""
    async with AsyncExitStack() as stack:
        if options.relay is None:
            with Console(stderr=True).status("starting relay and sandbox"):
                opened = running_environment(options.folder, ledger=options.ledger, portal=True, own=options.own)
                running = await stack.enter_async_context(opened)
        else:
            opened = external_environment(options.folder, options.relay.address, own=options.own)
            running = await stack.enter_async_context(opened)
            await wait_with_messages(running, options.relay.wait_s)
        yield running


async def _print_lines(options: Options) -> list[Call]:
    async with _open(options) as running:
        calls = await make_all_calls(running, lambda call: click.echo(json.dumps(call.row(), ensure_ascii=False)))
    click.echo(json.dumps({"summary": {"calls": len(calls), "ok": sum(call.ok for call in calls)}}))
    return calls


async def _print_table(options: Options) -> list[Call]:
    console = Console()
    started = datetime.now(UTC)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    async with _open(options) as running:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("calling", total=count_calls(running))
            calls = await make_all_calls(running, lambda _: progress.advance(task))
    print_calls(console, calls)
    ok = sum(call.ok for call in calls)
    calls_ms = sum(call.ms for call in calls)
    total_s = (datetime.now(UTC) - started).total_seconds()
    console.print(f"{ok} of {len(calls)} calls ok, {calls_ms:.0f} ms in calls, {total_s:.1f} s in total")
    if failed := describe_failed(calls):
        console.print(failed, width=WIDTH)
    console.print()
    steps = describe_next_steps(has_relay=options.relay is not None, in_clone=_is_clone())
    console.print(steps, end="", highlight=False)
    return calls


def _is_clone() -> bool:
    """Returns True in a clone of the repository: it has the documentation and the Makefile's targets."""
    return Path("docs/start/operator.md").is_file()
