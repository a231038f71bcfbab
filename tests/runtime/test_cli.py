"""Tests of the command line and of its start-up time."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay import __version__
from relay.runtime import commands
from relay.runtime.build_form import get_build_form
from relay.runtime.cli import COMMANDS, main


def test_help_lists_every_command_with_its_summary():
    output = " ".join(CliRunner().invoke(main, ["--help"]).output.split())
    assert all(f"{name} {sentence}" in output for name, sentence in COMMANDS.items())


def test_every_command_has_a_module_and_every_module_a_command():
    folder = Path(commands.__file__).parent
    files = [path for path in folder.rglob("[a-z]*.py") if path.parent == folder or path.parent.name == path.stem]
    modules = {path.stem for path in files if re.search(r"^@click\.(command|group)\(", path.read_text(), re.MULTILINE)}
    assert modules == {*COMMANDS, "worker"}  # `relay serve` runs it


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_an_example(name):
    answer = CliRunner().invoke(main, [name, "--help"], prog_name="relay")
    assert answer.exit_code == 0
    _, examples = answer.output.split("Example")
    assert f"relay {name}" in examples


def test_an_unknown_command_is_named():
    answer = CliRunner().invoke(main, ["sreve"])
    assert answer.exit_code == 2
    assert "sreve" in answer.output


def test_the_version_is_that_of_the_package():
    assert (
        CliRunner().invoke(main, ["--version"]).output.strip() == f"relay, version {__version__} ({get_build_form()})"
    )


def test_help_loads_no_command():
    script = (
        "import sys; from relay.runtime.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"aiohttp", "cryptography", "pydantic", "uvloop", "relay.policy"}
    assert not heavy & set(loaded)


def test_python_m_relay_is_the_same_command_line():
    answer = subprocess.run([sys.executable, "-m", "relay", "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout == f"relay, version {__version__} ({get_build_form()})\n"
