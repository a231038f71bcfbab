"""`relay serve`: run the relay."""

import asyncio
import importlib
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import click

from relay.domain.ledger import Unreachable
from relay.infra.dns.event_loop import new_event_loop
from relay.infra.output.standard_streams import QueuedStderr
from relay.runtime.processes.gateway import UNUSABLE, RelayProcess
from relay.runtime.processes.supervisor import Attendant, AuthorityDied
from relay.runtime.settings.loading import ConfigProblems, load
from relay.runtime.wiring.ledger import unanswered

BESIDE: Final = {
    "authority": ("relay.runtime.processes.authority", "AuthorityProcess"),
    "jobs": ("relay.runtime.processes.jobs", "JobsProcess"),
}
"""Roles that run beside the gateway: where their process is."""


@click.command(
    epilog="""\b
Examples:
  relay check -c config/relay.yaml && relay serve -c config/relay.yaml
  RELAY__ADMIN__PORT=9191 relay serve -c config/relay.yaml
  relay serve --role gateway -c config/relay.yaml     (authority and jobs are processes of their own then)
\b
Signals: TERM or INT drain and stop (twice: at once), HUP takes the settings anew.""",
)
@click.option("-c", "--config", default="config/relay.yaml", show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--log-level", default="info", type=click.Choice(["debug", "info", "warning", "error"]), show_default=True
)
@click.option(
    "--role",
    default="all",
    type=click.Choice(["all", "gateway", "authority", "jobs"]),
    show_default=True,
    help="all: the gateway, and beside it authority and jobs as processes of their own.",
)
@click.option("--until-stdin-closes", is_flag=True, help="Stop also when standard input ends (with its parent).")
def command(config: Path, log_level: str, role: str, *, until_stdin_closes: bool) -> None:
    """Run the relay: gateway with admin port, authority with its pages, jobs.

    Of many that run jobs one leads: it asks the portal who may call, sends statistics, tidies the ledger.
    Logs go to stderr, access records where settings say. The ledger must be there: relay migrate.
    """
    for name in ("alembic", "aiosqlite"):  # the one is chatty, the other writes values of statements at debug
        logging.getLogger(name).setLevel(logging.WARNING)
    with QueuedStderr(log_level.upper()) as stderr:
        serving = _serve(config, role, log_level, lambda: stderr.lost, until_stdin_closes=until_stdin_closes)
        _run(serving)


def _run(serving: Coroutine[Any, Any, None]) -> None:
    """Run to the end. What hinders it is told in lines, and ends the command with status 2."""
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serving)
    except ConfigProblems as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise SystemExit(2) from None
    except Unreachable as error:
        click.echo(f"relay: {unanswered(error)}", err=True)
        raise SystemExit(2) from None
    except (*UNUSABLE, AuthorityDied, OSError) as error:
        click.echo(f"relay: {error}", err=True)
        raise SystemExit(2) from None


async def _serve(
    config: Path, role: str, log_level: str, log_lost: Callable[[], int], *, until_stdin_closes: bool
) -> None:
    if role in BESIDE:
        # loaded only where it runs: its libraries take a second, and the gateway starts beside it
        module, name = BESIDE[role]
        other = getattr(importlib.import_module(module), name)(config)
        _stop_with_parent(other.stop, asked=until_stdin_closes)
        await other.run()
        return
    async with AsyncExitStack() as stack:
        attendants = _attendants(config, log_level) if role == "all" else ()

        def hung_up() -> None:
            for attendant in attendants:
                attendant.hang_up()

        process = RelayProcess(config, hung_up, log_lost)
        if attendants:
            await process.relay.ledger.check()  # what is wrong with it is said once, not by each of them
        stack.push_async_callback(_stopped, attendants)
        for attendant in attendants:
            await attendant.begin()
        for attendant in attendants:
            await attendant.ready()
        _stop_with_parent(process.stop, asked=until_stdin_closes)
        await process.run()


async def _stopped(attendants: Iterable[Attendant]) -> None:
    await asyncio.gather(*(attendant.stop() for attendant in attendants))


def _attendants(config: Path, log_level: str) -> tuple[Attendant, ...]:
    path = load(config, os.environ).settings.authority.socket
    return Attendant(config, path, log_level), Attendant(config, "", log_level, "jobs")


def _stop_with_parent(stop: Callable[[], object], *, asked: bool) -> None:
    """Stop when standard input ends: the kernel ends it with the parent."""

    def readable() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            stop()

    if asked:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), readable)
