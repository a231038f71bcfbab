"""Runs the processes of `relay serve` on the relay's event loop."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import click

from relay.domain.ledger import LedgerDown
from relay.infra.dns.event_loop import new_event_loop
from relay.infra.process.start_signals import STOPS, allow_stops
from relay.runtime.commands.printing import EXIT_UNUSABLE
from relay.runtime.processes.supervisor import ChildNotReady
from relay.runtime.settings.loading import SettingsError
from relay.runtime.wiring.errors import SETTINGS_ERRORS
from relay.runtime.wiring.ledger import describe_unreachable

_log = logging.getLogger(__name__)

log_level_option = click.option(
    "--log-level", default="info", type=click.Choice(["debug", "info", "warning", "error"]), show_default=True
)


def quiet_libraries() -> None:
    """Logs warnings only of libraries that log too much: alembic is verbose, aiosqlite logs values of statements."""
    for name in ("alembic", "aiosqlite"):
        logging.getLogger(name).setLevel(logging.WARNING)


async def _run_unless_stopped(serving: Coroutine[Any, Any, None]) -> None:
    """Runs `serving`. SIGTERM and SIGINT cancel it until it has installed its own handlers."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    is_stopped = False

    def stop() -> None:
        nonlocal is_stopped
        is_stopped = True
        if task is not None:
            task.cancel()

    for name in STOPS:
        loop.add_signal_handler(name, stop)
    allow_stops()
    try:
        await serving
    except asyncio.CancelledError:
        if not is_stopped:
            raise
        _log.info("stopped before the start was complete")


def run_process(serving: Coroutine[Any, Any, None]) -> None:
    """Runs until it ends. Errors of settings, ledger and sockets are printed and end the command with status 2."""
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_run_unless_stopped(serving))
    except SettingsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise SystemExit(EXIT_UNUSABLE) from None
    except LedgerDown as error:
        click.echo(f"relay: {describe_unreachable(error)}", err=True)
        raise SystemExit(EXIT_UNUSABLE) from None
    except OSError as error:
        reason = error.strerror or str(error)
        click.echo(f"relay: {error.filename}: {reason}" if error.filename else f"relay: {reason}", err=True)
        raise SystemExit(EXIT_UNUSABLE) from None
    except (*SETTINGS_ERRORS, ChildNotReady) as error:
        click.echo(f"relay: {error}", err=True)
        raise SystemExit(EXIT_UNUSABLE) from None
