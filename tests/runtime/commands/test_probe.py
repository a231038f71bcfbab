"""Tests of `relay probe`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.runtime.cli import main

BANK = """
org_code: ZBAA000001
name: Bank
industry: bank
link: leased_line
base_urls: ["http://127.0.0.1:1", "http://127.0.0.1:2/base"]
"""


@pytest.fixture
def unreachable(folder):
    """Settings with an institution on a leased line at two addresses without a listener."""
    folder.write("providers/bank.yaml", BANK)
    return str(folder.path)


def run(*arguments):
    return CliRunner().invoke(main, ["probe", *arguments])


def test_each_step_at_each_address_is_a_line(unreachable):
    answer = run("ZBAA000001", "-c", unreachable)
    assert answer.exit_code == 1
    lines = [line.split() for line in answer.output.splitlines()]
    assert lines[0] == ["base_url", "step", "result", "ms", "detail"]
    assert [(line[0], line[1], line[2], line[4]) for line in lines[1:]] == [
        ("http://127.0.0.1:1", "dns", "ok", "127.0.0.1"),
        ("http://127.0.0.1:1", "connect", "FAILED", "refused"),
        ("http://127.0.0.1:2/base", "dns", "ok", "127.0.0.1"),
        ("http://127.0.0.1:2/base", "connect", "FAILED", "refused"),
    ]


def test_machines_get_a_list(unreachable):
    answer = run("ZBAA000001", "-c", unreachable, "--json")
    steps = json.loads(answer.output)
    assert [(step["step"], step["ok"], step["detail"]) for step in steps[:2]] == [
        ("dns", True, "127.0.0.1"),
        ("connect", False, "refused"),
    ]
    assert (answer.exit_code, set(steps[0])) == (1, {"base_url", "step", "ok", "ms", "detail"})


def test_an_unknown_institution_is_named(unreachable):
    answer = run("ZBAA000009", "-c", unreachable)
    assert (answer.exit_code, "ZBAA000009: no institution of" in answer.output) == (2, True)


def test_an_institution_that_speaks_telegrams_is_not_called():
    answer = run("ZBAC000001", "-c", str(Path(__file__).parents[3] / "config/relay.yaml"))
    assert (answer.exit_code, "it speaks telegrams; `relay telegram try`" in answer.output) == (2, True)


def test_an_institution_that_speaks_json_of_its_own_is_not_called():
    answer = run("ZISC000001", "-c", str(Path(__file__).parents[3] / "config/relay.yaml"))
    assert (answer.exit_code, "it speaks JSON of its own; `relay conform`" in answer.output) == (2, True)


def test_settings_that_cannot_be_read_are_named(tmp_path):
    answer = run("ZBAA000001", "-c", str(tmp_path / "none.yaml"))
    assert (answer.exit_code, "none.yaml" in answer.output) == (2, True)


def test_a_ca_that_cannot_be_read_is_named(folder):
    answer = run("ZBAA000001", "-c", str(folder.path))
    assert (answer.exit_code, "bank.pem" in answer.output) == (2, True)


def test_help_has_examples():
    assert "relay probe ZBAA000001 --json" in run("--help").output
