"""`relay serve`: run the relay."""

import asyncio
import logging
import os
import sys
from pathlib import Path

import click
import uvloop

from relay.runtime.config import ConfigProblems
from relay.runtime.process import UNUSABLE, RelayProcess


@click.command(
    epilog="""\b
Examples:
  relay check -c config/relay.yaml && relay serve -c config/relay.yaml
  RELAY__ADMIN__PORT=9191 relay serve -c config/relay.yaml
\b
Signals: TERM or INT drain and stop (twice: at once), HUP takes the settings anew.""",
)
@click.option("-c", "--config", default="config/relay.yaml", show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--log-level", default="info", type=click.Choice(["debug", "info", "warning", "error"]), show_default=True
)
@click.option("--until-stdin-closes", is_flag=True, help="Stop also when standard input ends (with its parent).")
def command(config: Path, log_level: str, *, until_stdin_closes: bool) -> None:
    """Run the relay: gateway and admin port in one process. Logs go to stderr, access records where settings say."""
    logging.basicConfig(
        level=log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(config, until_stdin_closes=until_stdin_closes))
    except ConfigProblems as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise SystemExit(2) from None
    except (*UNUSABLE, OSError) as error:
        click.echo(f"relay: {error}", err=True)
        raise SystemExit(2) from None


async def _serve(config: Path, *, until_stdin_closes: bool) -> None:
    process = RelayProcess(config)
    if until_stdin_closes:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _stop_at_end, process)
    await process.run()


def _stop_at_end(process: RelayProcess) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        process.stop()
