"""`relay restart`: replaces the workers of a running gateway one by one."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from relay.runtime.commands.options import config_option
from relay.runtime.commands.printing import EXIT_FAILED, EXIT_UNUSABLE, exit_with
from relay.runtime.processes.restart_socket import DONE, FAILED, REQUEST
from relay.runtime.processes.supervisor import READY_S
from relay.runtime.settings.loading import SettingsError, load_settings

_CONNECT_S: Final = 5.0
_MARGIN_S: Final = 30.0
"""Beside start and drain of a worker: delivery of statistics, and a slow machine."""


@click.command(
    epilog="""\b
Examples:
  relay restart -c /etc/relay/relay.yaml
  systemctl kill --kill-whom=main -s USR2 relay     (the same, without waiting)"""
)
@config_option
def command(path: Path) -> None:
    """Replace the workers of a running gateway one by one, without a lost call.

    For gateways with more than one of gateway.workers. New workers run the installed version with the current settings.
    Addresses of listeners, gateway.workers and the admin port stay as they are.
    """
    try:
        gateway = load_settings(path, os.environ).settings.gateway
    except SettingsError as error:
        exit_with("\n".join(map(str, error.problems)), EXIT_UNUSABLE)
    if gateway.workers == 1:
        exit_with("gateway.workers is 1: there is nothing to replace; restart the service", EXIT_UNUSABLE)
    wait_s = READY_S + gateway.drain.delay_s + gateway.drain.finish_s + _MARGIN_S
    last = ""
    try:
        for last in _request(gateway.socket, wait_s):
            click.echo(last, err=last.startswith(FAILED))
    except TimeoutError:
        exit_with(f"no answer for {wait_s:.0f} s: read the log of the relay", EXIT_FAILED)
    except OSError as error:
        reason = error.strerror or str(error)
        exit_with(f"{gateway.socket}: {reason}: no gateway with several workers runs there", EXIT_UNUSABLE)
    if last != DONE:
        exit_with("not all workers were replaced: read the log of the relay", EXIT_FAILED)


def _request(path: str, wait_s: float) -> Iterator[str]:
    """Sends the request and yields the lines of the answer. Raises OSError; TimeoutError when a line takes too long."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_CONNECT_S)
        connection.connect(path)
        connection.sendall(REQUEST)
        connection.settimeout(wait_s)
        with connection.makefile("r", encoding="utf-8") as answer:
            for line in answer:
                yield line.rstrip("\n")
