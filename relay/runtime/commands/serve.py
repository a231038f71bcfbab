"""`relay serve`: runs the relay, or one role of it."""

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

from relay.domain.ledger import LedgerDown
from relay.infra.dns.event_loop import new_event_loop
from relay.infra.output.standard_streams import QueuedStderr
from relay.runtime.processes.supervisor import ChildDied, Supervisor
from relay.runtime.settings.loading import SettingsError, load_settings
from relay.runtime.wiring.errors import SETTINGS_ERRORS
from relay.runtime.wiring.ledger import describe_unreachable

ROLES: Final = {
    "gateway": ("relay.runtime.processes.gateway", "GatewayProcess"),
    "authority": ("relay.runtime.processes.authority", "AuthorityProcess"),
    "jobs": ("relay.runtime.processes.jobs", "JobsProcess"),
}
"""Module and class of each role. A role is imported only in its own process: its libraries take a second."""


@click.command(
    epilog="""\b
Examples:
  relay check -c config/relay.yaml && relay serve -c config/relay.yaml
  RELAY__ADMIN__PORT=9191 relay serve -c config/relay.yaml
  relay serve --role gateway -c config/relay.yaml     (one role alone)
\b
Signals: TERM or INT drain and stop (twice: at once), HUP reloads settings.""",
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
    help="all: the gateway, with authority and jobs as child processes.",
)
@click.option("--until-stdin-closes", is_flag=True, help="Stop also when standard input ends (with its parent).")
def command(config: Path, log_level: str, role: str, *, until_stdin_closes: bool) -> None:
    """Run the relay: gateway with admin port, authority with its pages, jobs.

    Of all instances that run jobs one leads: it syncs the registry, sends statistics and prunes the ledger.
    Logs go to stderr, access records to access_log.path. Create the ledger first: relay migrate.
    """
    for name in ("alembic", "aiosqlite"):  # alembic is verbose, aiosqlite logs values of statements at debug
        logging.getLogger(name).setLevel(logging.WARNING)
    with QueuedStderr(log_level.upper()) as stderr:
        serving = _serve(config, role, log_level, lambda: stderr.lost, until_stdin_closes=until_stdin_closes)
        _run(serving)


def _run(serving: Coroutine[Any, Any, None]) -> None:
    """Runs until it ends. Errors of settings, ledger and sockets are printed and end the command with status 2."""
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serving)
    except SettingsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise SystemExit(2) from None
    except LedgerDown as error:
        click.echo(f"relay: {describe_unreachable(error)}", err=True)
        raise SystemExit(2) from None
    except (*SETTINGS_ERRORS, ChildDied, OSError) as error:
        click.echo(f"relay: {error}", err=True)
        raise SystemExit(2) from None


async def _serve(
    config: Path, role: str, log_level: str, lost_log_lines: Callable[[], int], *, until_stdin_closes: bool
) -> None:
    if role in {"authority", "jobs"}:
        role_process = _load(role)(config)
        _stop_with_parent(role_process.stop, is_enabled=until_stdin_closes)
        await role_process.run()
        return
    async with AsyncExitStack() as stack:
        supervisors = _build_supervisors(config, log_level) if role == "all" else ()

        def send_sighup() -> None:
            for supervisor in supervisors:
                supervisor.send_sighup()

        process = _load("gateway")(config, send_sighup, lost_log_lines)
        if supervisors:
            await process.relay.ledger.check()  # reports its problems once, not in each child process
        stack.push_async_callback(_stop_all, supervisors)
        for supervisor in supervisors:
            await supervisor.start()
        for supervisor in supervisors:
            await supervisor.wait_until_ready()
        _stop_with_parent(process.stop, is_enabled=until_stdin_closes)
        await process.run()


def _load(role: str) -> Any:
    """Returns the class of a role's process."""
    module, name = ROLES[role]
    return getattr(importlib.import_module(module), name)


async def _stop_all(supervisors: Iterable[Supervisor]) -> None:
    await asyncio.gather(*(supervisor.stop() for supervisor in supervisors))


def _build_supervisors(config: Path, log_level: str) -> tuple[Supervisor, ...]:
    path = load_settings(config, os.environ).settings.authority.socket
    return Supervisor(config, path, log_level), Supervisor(config, "", log_level, "jobs")


def _stop_with_parent(stop: Callable[[], object], *, is_enabled: bool) -> None:
    """Calls `stop` when standard input ends: the kernel closes it when the parent ends."""

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            stop()

    if is_enabled:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), read)
