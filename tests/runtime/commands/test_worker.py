"""`relay worker` is no command for people."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from relay.runtime.cli import main


@pytest.mark.parametrize("stdin", [b"", b"text"])
def test_without_a_parent_it_says_who_starts_it(stdin):
    command = [sys.executable, "-m", "relay", "worker"]
    ended = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr == b"relay serve starts workers; set gateway.workers\n"


def test_it_is_not_listed():
    assert "worker " not in CliRunner().invoke(main, ["--help"]).output.replace("workers", "")
