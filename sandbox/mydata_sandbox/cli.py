"""The command line `mydata-sandbox`. Commands are imported when they run, so that `--help` is quick."""

import importlib
from typing import Final

import click

from mydata_sandbox import __version__
from mydata_sandbox.standard_streams import open_missing_descriptors

COMMANDS: Final = {
    "authorize": "Get a token by individual authentication, step by step with curl.",
    "certs": "Make development certificates.",
    "demo": "Make every call of the standard once and validate the responses.",
    "examples": "Write the example calls of the relay's documents.",
    "misbehave": "Make institutions of a running sandbox fail.",
    "run": "Start relay, institutions, certifiers and portal and leave them running.",
    "sign": "Get a token by integrated authentication, step by step with curl.",
    "token": "Print an access token, valid or deliberately wrong.",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"mydata_sandbox.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start here: `mydata-sandbox demo`, then `mydata-sandbox run`. Each command has examples in its --help.",
)
@click.version_option(__version__, prog_name="mydata-sandbox")
def main() -> None:
    """Simulated institutions, operators, certifiers and portal of Korea's financial MyData."""
    open_missing_descriptors()
