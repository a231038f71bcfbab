"""The options `--relay`, `--address` and `--wait`, and the messages while a relay is started by hand."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from mydata_sandbox.environment.external import RelayUnreachable, wait_for_relay
from mydata_sandbox.environment.relay_address import RelayAddress
from mydata_sandbox.environment.running import RunningEnvironment
from mydata_sandbox.parties import LOOPBACK

WAIT_S: Final = 300
DEFAULT_FOLDER: Final = ".sandbox"
RELAY_HELP: Final = """\b
With --relay https://HOST:PORT the sandbox simulates all but the relay:
  1. It writes relay.yaml, certificates and keys for that URL into the
     folder, and prints the commands that start the relay with them.
  2. It waits until the relay accepts the operator.
A folder that has a sandbox for the same URL is used again, unchanged:
certificates, secrets, settings and ports stay. The relay may keep running.
"""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class RelayOption:
    """A relay that is started by hand, and how long to wait for it."""

    address: RelayAddress
    wait_s: float


def relay_options(command: F) -> F:
    """Adds `--relay`, `--address` and `--wait` to a command."""
    for option in (
        click.option(
            "--wait",
            "wait_s",
            type=click.IntRange(1),
            default=WAIT_S,
            show_default=True,
            metavar="SECONDS",
            help="With --relay: how long to wait for the relay.",
        ),
        click.option(
            "--address",
            metavar="IP",
            help=f"With --relay: address of this machine at which the relay finds the sandbox.  [default: {LOOPBACK}]",
        ),
        click.option("--relay", "relay_url", metavar="URL", help="Use the relay at https://HOST:PORT, start none."),
    ):
        command = option(command)
    return command


def parse_relay_option(relay_url: str | None, address: str | None, wait_s: int) -> RelayOption | None:
    """Returns the relay of the options, None without `--relay`. Raises UsageError for values that do not fit."""
    if relay_url is None:
        if address is not None:
            raise click.UsageError("--address needs --relay")
        return None
    try:
        return RelayOption(RelayAddress.parse(relay_url, address or LOOPBACK), wait_s)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


async def wait_with_messages(running: RunningEnvironment, wait_s: float) -> None:
    """Prints on stderr how to start the relay, and waits until it accepts the operator. Raises ClickException."""
    settings = shlex.quote(str(running.environment.settings.resolve()))
    click.echo(
        f"""The sandbox serves all parties but the relay. Unless it runs, start the relay:
  relay migrate -c {settings}
  relay serve -c {settings}
Waiting up to {wait_s:.0f} s for the relay at {running.environment.gateway}""",
        err=True,
    )
    try:
        await wait_for_relay(running, lambda problem: click.echo(f"  {problem}", err=True), wait_s)
    except RelayUnreachable as error:
        raise click.ClickException(str(error)) from error
    click.echo("The relay accepts the operator.", err=True)
