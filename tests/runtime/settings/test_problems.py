"""A problem is one line; all problems are reported at once."""

from pathlib import Path

import pytest

from relay.runtime.settings.problems import SettingsError, SettingsProblem, format_key, format_path


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (SettingsProblem("a.yaml", "b.c", "is missing", "text"), "a.yaml: b.c: is missing; expected: text"),
        (SettingsProblem("a.yaml", "b.c", "is missing"), "a.yaml: b.c: is missing"),
        (SettingsProblem("a.yaml", "", "is a folder"), "a.yaml: is a folder"),
    ],
)
def test_a_problem_is_one_line(problem, line):
    assert str(problem) == line


def test_problems_keep_their_order():
    problems = (SettingsProblem("b", "", "x"), SettingsProblem("a", "", "y"))
    assert SettingsError(problems).problems == problems
    assert str(SettingsError(problems)) == "b: x\na: y"


@pytest.mark.parametrize(
    ("key_path", "text"),
    [(("gateway", "listeners", 0, "port"), "gateway.listeners[0].port"), ((), ""), (("a", 1, 2), "a[1][2]")],
)
def test_a_key_is_written_with_dots_and_indexes(key_path, text):
    assert format_key(key_path) == text


def test_paths_below_the_working_directory_are_relative(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert format_path(tmp_path / "a" / "b.yaml") == "a/b.yaml"
    assert format_path(Path("/elsewhere/b.yaml")) == "/elsewhere/b.yaml"
