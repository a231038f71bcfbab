"""`relay secret`: prints the scrypt hash of a client secret, for the directory."""

import re
import sys
from typing import Final

import click

from relay.infra.tokens.client_secrets import hash_secret

_SECRET: Final = re.compile(r"[0-9A-Za-z]{1,50}")


@click.command(
    "secret",
    epilog="""\b
Examples:
  relay secret                       asks twice and shows nothing
  relay secret < secret.txt          one line; for scripts
\b
The output is client_secret_hash of a service in directory.yaml. A secret is
never an argument: arguments appear in the process list and the shell history.""",
)
def command() -> None:
    """Print the hash of a client secret."""
    if sys.stdin.isatty():
        secret = click.prompt("client_secret", hide_input=True, confirmation_prompt=True, err=True)
    else:
        secret = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if _SECRET.fullmatch(secret) is None:
        raise click.ClickException("a client_secret is 1 to 50 letters or digits, aN(50)")
    click.echo(hash_secret(secret))
