"""The command line `relay`. Commands are imported when they run, so that `relay --help` is quick."""

import importlib
from typing import Final

import click

from relay import __version__
from relay.runtime.build_form import get_build_form

COMMANDS: Final = {
    "apis": "Print the 91 APIs of the standard, as a table or as JSON.",
    "check": "Read the settings and report every problem at once.",
    "conform": "Test an institution against the standard and report the rules it breaks.",
    "directory": "Show, compare, sync and release the portal's registry.",
    "jobs": "List the jobs and run one now.",
    "keys": "List, rotate and prune the keys that sign tokens.",
    "migrate": "Create or upgrade the tables of the ledger.",
    "probe": "Call an institution and show DNS, connection, TLS, request and answer.",
    "providers": "List the institutions and show which rules their answers break.",
    "restart": "Replace the workers of a running gateway one by one.",
    "schema": "Print the JSON Schema of a settings file.",
    "secret": "Print the hash of a client secret.",
    "serve": "Run the relay.",
    "stats": "Show, send and reconcile the statistics that decide fees.",
    "telegram": "Show, decode, try, record and test telegrams (전문) of institutions.",
}

_INTERNAL: Final = "worker"
"""A command that only the relay itself runs. It is not listed."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS and cmd_name != _INTERNAL:
            return None
        command: click.Command = importlib.import_module(f"relay.runtime.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start here: `relay schema --help`, `relay check`, `relay serve`. Each command has examples in its --help.",
)
@click.version_option(f"{__version__} ({get_build_form()})", prog_name="relay")
def main() -> None:
    """중계기관 of Korea's financial MyData: a mutual-TLS gateway to many institutions."""
