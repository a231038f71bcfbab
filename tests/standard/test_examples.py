"""The packaged example calls."""

from pathlib import Path

from mydata_sandbox.commands.examples import command

from relay.domain.ids import INDUSTRIES
from relay.standard.examples import load_examples


def test_every_group_has_examples():
    assert set(load_examples()) == {*INDUSTRIES, "oauth", "support", "portal"}


def test_an_example_is_a_request_and_a_response():
    for calls in load_examples().values():
        assert all(list(call) == ["request", "response"] for call in calls.values())


def test_the_files_are_those_that_the_sandbox_writes(tmp_path):
    command.main([str(tmp_path)], standalone_mode=False)
    folder = Path(__file__).parents[2] / "relay" / "standard" / "examples"
    written = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert {file.name: file.read_text() for file in folder.glob("*.json")} == written
