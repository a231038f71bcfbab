"""`mydata-sandbox examples`."""

import json

from click.testing import CliRunner
from mydata_sandbox.commands.examples import command


def run(*args):
    return CliRunner().invoke(command, list(args))


def test_it_writes_a_file_for_each_group(tmp_path):
    folder = tmp_path / "new" / "examples"
    result = run(str(folder))
    assert (result.exit_code, result.output) == (0, f"14 files in {folder}\n")
    assert "은행-004" in json.loads((folder / "bank.json").read_text())


def test_two_runs_write_the_same(tmp_path):
    texts = []
    for name in ("one", "two"):
        run(str(tmp_path / name))
        texts.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert texts[0] == texts[1]


def test_help_shows_an_example():
    assert "mydata-sandbox examples relay/standard/examples" in run("--help").output
