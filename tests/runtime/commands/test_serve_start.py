"""Stops of `relay serve` before its start is complete."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from relay.runtime.cli import main

TERM_PENDING = 1 << (signal.SIGTERM - 1)
"""Bit of SIGTERM in the pending signals of a process (proc(5))."""


@pytest.fixture
def environment(environment):
    """An environment whose ledger is prepared."""
    content = yaml.safe_load(environment.settings.read_text())
    content["authority"]["socket"] = "authority.sock"
    environment.settings.write_text(yaml.safe_dump(content, allow_unicode=True))
    assert CliRunner().invoke(main, ["migrate", "-c", str(environment.settings)]).exit_code == 0
    return environment


def read_status(pid):
    """Returns the fields of /proc/PID/status, none for a process that has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    fields = dict(line.split(":\t", 1) for line in text.splitlines())
    return {} if fields["State"].startswith(("Z", "X")) else fields


def is_stopped(pid):
    return read_status(pid).get("State", "").startswith("T")


def has_pending_term(pid):
    return bool(int(read_status(pid).get("ShdPnd", "0"), 16) & TERM_PENDING)


def wait_until(is_reached):
    until = time.monotonic() + 20
    while not is_reached():
        assert time.monotonic() < until
        threading.Event().wait(0.01)


def test_a_second_signal_during_the_start_kills_the_children(environment):
    command = [sys.executable, "-m", "relay", "serve", "-c", str(environment.settings)]
    with (environment.folder / "authority.sock.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the authority waits for it
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as relay:
            assert next((line for line in relay.stderr if "unix socket in use" in line), None)
            children = Path(f"/proc/{relay.pid}/task/{relay.pid}/children").read_text().split()
            for pid in children:
                os.kill(int(pid), signal.SIGSTOP)
            wait_until(lambda: all(map(is_stopped, children)))  # a running one would handle SIGTERM before SIGSTOP
            relay.send_signal(signal.SIGTERM)
            wait_until(lambda: all(map(has_pending_term, children)))
            relay.send_signal(signal.SIGTERM)
    try:
        assert (relay.returncode, len(children)) == (0, 2)
        wait_until(lambda: not any(map(read_status, children)))
    finally:
        for pid in filter(read_status, children):
            os.kill(int(pid), signal.SIGKILL)
