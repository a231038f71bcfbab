"""`relay serve`: runs the relay, or one role of it."""

import asyncio
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import click

from relay.infra.output.standard_streams import QueuedStderr
from relay.infra.process.cpus import count_usable_cpus
from relay.policy.settings.model import Settings
from relay.policy.settings.worker_shares import count_workers
from relay.runtime.commands.options import config_option
from relay.runtime.commands.running import log_level_option, quiet_libraries, run_process
from relay.runtime.processes.supervisor import ADAPTER_NICENESS, Supervisor, build_command
from relay.runtime.settings.loading import LoadedSettings, load_settings
from relay.runtime.wiring.ledger import build_ledger

ROLES: Final = {
    "gateway": ("relay.runtime.processes.gateway", "GatewayProcess"),
    "workers": ("relay.runtime.processes.workers", "WorkersProcess"),
    "authority": ("relay.runtime.processes.authority", "AuthorityProcess"),
    "jobs": ("relay.runtime.processes.jobs", "JobsProcess"),
    "adapter": ("relay.runtime.processes.adapter", "AdapterProcess"),
}
"""Module and class of each role. A role is imported only in its own process: its libraries take a second."""


@click.command(
    epilog="""\b
Examples:
  relay check -c config/relay.yaml && relay serve -c config/relay.yaml
  RELAY__ADMIN__PORT=9191 relay serve -c config/relay.yaml
  relay serve --role gateway -c config/relay.yaml     (one role alone)
\b
Signals: TERM or INT drain and stop (twice: at once), HUP reloads settings, USR2 replaces workers one by one.""",
)
@config_option
@log_level_option
@click.option(
    "--role",
    default="all",
    type=click.Choice(["all", "gateway", "authority", "jobs", "adapter"]),
    show_default=True,
    help="all: the gateway, with authority, jobs and, if an institution needs it, adapter as child processes.",
)
@click.option(
    "--until-stdin-closes",
    is_flag=True,
    help="Stop when standard input ends (with its parent); all roles but the gateway defer TERM and INT until then.",
)
def command(path: Path, log_level: str, role: str, *, until_stdin_closes: bool) -> None:
    """Run the relay: gateway with admin port, authority with its pages, jobs, adapter.

    The adapter runs as soon as an institution speaks telegrams, also one that a reload adds.

    Of all instances that run jobs one leads: it syncs the registry, sends statistics and prunes the ledger.
    Logs go to stderr, access records to access_log.path. Create the ledger first: relay migrate.
    """
    quiet_libraries()
    with QueuedStderr(log_level.upper()) as stderr:
        serving = _serve(path, role, log_level, lambda: stderr.lost, until_stdin_closes=until_stdin_closes)
        run_process(serving)


async def _serve(
    config: Path, role: str, log_level: str, lost_log_lines: Callable[[], int], *, until_stdin_closes: bool
) -> None:
    if role in {"authority", "jobs", "adapter"}:
        role_process = _load(role)(config, is_child=until_stdin_closes)
        _stop_with_parent(role_process.stop, is_enabled=until_stdin_closes)
        await role_process.run()
        return
    loaded = load_settings(config, os.environ)
    settings = loaded.settings
    async with AsyncExitStack() as stack:
        supervisors = _build_supervisors(config, log_level, loaded) if role == "all" else []

        def send_sighup() -> None:
            for supervisor in supervisors:
                supervisor.send_sighup()

        def let_children_end() -> None:
            for supervisor in supervisors:
                supervisor.let_end()

        def start_adapter() -> None:
            supervisors.append(_build_adapter_supervisor(config, log_level, settings))
            supervisors[-1].start_when_possible()

        process = _build_gateway(config, settings, log_level, send_sighup, lost_log_lines)
        process.on_second_stop = let_children_end
        process.adapter_need.start = start_adapter if role == "all" else None
        stack.callback(process.close_sockets)
        await process.open_sockets()
        if supervisors:
            await _check_ledger(settings)  # reports its problems once, not in each child process
        stack.push_async_callback(_stop_all, supervisors)
        for supervisor in supervisors:
            await supervisor.start()
        for supervisor in supervisors:
            await supervisor.wait_until_ready()
            supervisor.keep_running()
        _stop_with_parent(process.stop, is_enabled=until_stdin_closes)
        await process.run()


def _build_gateway(
    config: Path, settings: Settings, log_level: str, on_sighup: Callable[[], None], lost_log_lines: Callable[[], int]
) -> Any:
    """Returns the gateway: one process, or the parent of several workers."""
    count = count_workers(settings.gateway, count_usable_cpus())
    if count == 1:
        return _load("gateway")(config, on_sighup, lost_log_lines)
    return _load("workers")(config, count, log_level, on_sighup, lost_log_lines)


async def _check_ledger(settings: Settings) -> None:
    """Raises LedgerDown and SETTINGS_ERRORS when the ledger cannot be used.

    A cancelled check is completed first: a thread of the driver would outlive its event loop.
    """
    ledger = build_ledger(settings.ledger)

    async def check() -> None:
        try:
            await ledger.check()
        finally:
            await ledger.close()

    checking = asyncio.ensure_future(check())
    try:
        await asyncio.shield(checking)
    finally:
        await asyncio.wait([checking])


def _load(role: str) -> Any:
    """Returns the class of a role's process."""
    module, name = ROLES[role]
    return getattr(importlib.import_module(module), name)


async def _stop_all(supervisors: Sequence[Supervisor]) -> None:
    """Stops the child processes. Kills them if it is cancelled: a second signal during the start."""
    try:
        await asyncio.gather(*(supervisor.stop() for supervisor in supervisors))
    except asyncio.CancelledError:
        for supervisor in supervisors:
            supervisor.kill()
        raise


def _build_supervisors(config: Path, log_level: str, loaded: LoadedSettings) -> list[Supervisor]:
    """Returns the supervisors of authority and jobs, and of the adapter if an institution needs it."""
    settings = loaded.settings
    supervisors = [
        Supervisor("authority", build_command("authority", config, log_level), settings.authority.socket),
        Supervisor("jobs", build_command("jobs", config, log_level)),
    ]
    if loaded.needs_adapter:
        supervisors.append(_build_adapter_supervisor(config, log_level, settings))
    return supervisors


def _build_adapter_supervisor(config: Path, log_level: str, settings: Settings) -> Supervisor:
    command = build_command("adapter", config, log_level)
    return Supervisor("adapter", command, settings.adapter.socket, niceness=ADAPTER_NICENESS)


def _stop_with_parent(stop: Callable[[], object], *, is_enabled: bool) -> None:
    """Calls `stop` when standard input ends: the kernel closes it when the parent ends."""

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            stop()

    if is_enabled:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), read)
