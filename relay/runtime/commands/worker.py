"""`relay worker`: one worker of a gateway. `relay serve` starts it; it is no command for people and is not listed."""

import importlib
import os
import socket
import sys
from pathlib import Path

import click

from relay.infra.output.standard_streams import QueuedStderr
from relay.infra.process.control_channel import receive_start
from relay.runtime.commands.options import config_option
from relay.runtime.commands.printing import EXIT_UNUSABLE, exit_with
from relay.runtime.commands.running import log_level_option, quiet_libraries, run_process
from relay.runtime.processes.worker_messages import WorkerStart


@click.command(hidden=True)
@config_option
@log_level_option
def command(path: Path, log_level: str) -> None:
    """Run one worker. Standard input is the socket to its parent."""
    quiet_libraries()
    try:
        end = socket.socket(fileno=os.dup(sys.stdin.fileno()))
        content, sockets = receive_start(end)
        start = WorkerStart.decode(content)
    except (OSError, ValueError, KeyError):
        exit_with("relay serve starts workers; set gateway.workers", EXIT_UNUSABLE)
    run_worker = importlib.import_module("relay.runtime.processes.worker").run_worker  # not in other processes
    with QueuedStderr(log_level.upper(), f"worker={start.share.slot}") as stderr:
        run_process(run_worker(path, start, end, sockets, lambda: stderr.lost))
