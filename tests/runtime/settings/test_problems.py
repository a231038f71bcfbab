"""A problem is one line; all problems are reported at once."""

from pathlib import Path

import pytest

from relay.runtime.settings.problems import ConfigProblems, Problem, format_key, shown


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("a.yaml", "b.c", "is missing", "text"), "a.yaml: b.c: is missing; expected: text"),
        (Problem("a.yaml", "b.c", "is missing"), "a.yaml: b.c: is missing"),
        (Problem("a.yaml", "", "is a folder"), "a.yaml: is a folder"),
    ],
)
def test_a_problem_is_one_line(problem, line):
    assert str(problem) == line


def test_problems_keep_their_order():
    problems = (Problem("b", "", "x"), Problem("a", "", "y"))
    assert ConfigProblems(problems).problems == problems
    assert str(ConfigProblems(problems)) == "b: x\na: y"


@pytest.mark.parametrize(
    ("key_path", "text"),
    [(("gateway", "listeners", 0, "port"), "gateway.listeners[0].port"), ((), ""), (("a", 1, 2), "a[1][2]")],
)
def test_a_key_is_written_with_dots_and_indexes(key_path, text):
    assert format_key(key_path) == text


def test_paths_below_the_working_directory_are_relative(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a" / "b.yaml") == "a/b.yaml"
    assert shown(Path("/elsewhere/b.yaml")) == "/elsewhere/b.yaml"
