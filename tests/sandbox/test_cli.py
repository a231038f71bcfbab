import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from mydata_sandbox import __version__, commands
from mydata_sandbox.cli import COMMANDS, main


def test_help_lists_all_commands():
    output = " ".join(CliRunner().invoke(main, ["--help"]).output.split())
    assert set(COMMANDS) == {"authorize", "certs", "demo", "examples", "misbehave", "run", "sign", "token"}
    assert all(f"{name} {sentence}" in output for name, sentence in COMMANDS.items())


def test_every_command_has_a_module_and_every_module_a_command():
    files = Path(commands.__file__).parent.glob("[a-z]*.py")
    modules = {path.stem for path in files if re.search(r"^@click\.(command|group)\(", path.read_text(), re.MULTILINE)}
    assert modules == set(COMMANDS)


@pytest.mark.parametrize(
    "words", [["run"], ["demo"], ["token"], ["certs", "dev"], ["misbehave"], ["authorize"], ["sign"]], ids=" ".join
)
def test_help_of_a_command_has_examples_in_80_columns(words):
    answer = CliRunner().invoke(main, [*words, "--help"], prog_name="mydata-sandbox")
    assert answer.exit_code == 0
    _, examples = answer.output.split("Examples:")
    assert f"mydata-sandbox {' '.join(words)}" in examples
    assert [line for line in answer.output.splitlines() if len(line) > 80] == []


def test_an_unknown_command_is_named():
    answer = CliRunner().invoke(main, ["serve"])
    assert (answer.exit_code, "serve" in answer.output) == (2, True)


def test_python_m_mydata_sandbox_is_the_same_command_line():
    command = [sys.executable, "-m", "mydata_sandbox", "--version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == f"mydata-sandbox, version {__version__}"
