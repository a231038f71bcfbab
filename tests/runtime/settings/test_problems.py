"""A problem is one line; all of them come at once."""

from pathlib import Path

import pytest

from relay.runtime.settings.problems import ConfigProblems, Problem, dotted, shown


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("a.yaml", "b.c", "is missing", "text"), "a.yaml: b.c: is missing, text"),
        (Problem("a.yaml", "b.c", "is missing"), "a.yaml: b.c: is missing"),
        (Problem("a.yaml", "", "is a folder"), "a.yaml: is a folder"),
    ],
)
def test_a_problem_is_one_line(problem, line):
    assert str(problem) == line


def test_problems_keep_their_order():
    two = (Problem("b", "", "x"), Problem("a", "", "y"))
    assert ConfigProblems(two).problems == two
    assert str(ConfigProblems(two)) == "b: x\na: y"


@pytest.mark.parametrize(
    ("place", "text"),
    [(("gateway", "listeners", 0, "port"), "gateway.listeners[0].port"), ((), ""), (("a", 1, 2), "a[1][2]")],
)
def test_a_place_is_written_with_dots_and_indexes(place, text):
    assert dotted(place) == text


def test_files_below_the_working_directory_are_shown_relative(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a" / "b.yaml") == "a/b.yaml"
    assert shown(Path("/elsewhere/b.yaml")) == "/elsewhere/b.yaml"
