"""The command line `relay`. Commands are imported when they run, so that `relay --help` is quick."""

import importlib
from typing import Final

import click

from relay import __version__

COMMANDS: Final = {
    "apis": "Print the 91 APIs of the standard, as a table or as JSON.",
    "certs": "Make development certificates.",
    "check": "Read the settings and report every problem at once.",
    "demo": "Start relay and sandbox on free ports and make every call once.",
    "directory": "Show, compare, sync and release the portal's registry.",
    "jobs": "List the jobs and run one now.",
    "keys": "List, rotate and prune the keys that sign tokens.",
    "migrate": "Create or upgrade the tables of the ledger.",
    "probe": "Call an institution and show DNS, connection, TLS, request and answer.",
    "sandbox": "Start relay and sandbox on loopback and leave them running.",
    "schema": "Print the JSON Schema of a settings file.",
    "secret": "Print the hash of a client secret.",
    "serve": "Run the relay.",
    "stats": "Show, send and reconcile the statistics that decide fees.",
    "token": "Sign an access token with the sandbox's test key.",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"relay.runtime.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start here: `relay demo`, then `relay sandbox`. Each command has examples in its --help.",
)
@click.version_option(__version__, prog_name="relay")
def main() -> None:
    """중계기관 of Korea's financial MyData: a mutual-TLS gateway to many institutions."""
