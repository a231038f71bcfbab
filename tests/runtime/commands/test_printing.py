"""What commands print for people."""

import pytest

from relay.runtime.commands.printing import clock, counted, print_table, rows_of


def test_columns_stand_below_each_other_whatever_the_letters_are_wide(capsys):
    print_table(("name", "calls", "note"), [("가나다", 1, "one"), ("abc", 1000, "two")], right=("calls",))
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["name    calls  note", "가나다      1  one", "abc      1000  two"]


def test_nothing_is_cut_however_long(capsys):
    print_table(("a", "b"), [("x" * 100, "y " * 100)])
    assert capsys.readouterr().out.splitlines()[1] == f"{'x' * 100}  {('y ' * 100).rstrip()}"


def test_without_rows_the_heads_stand_alone(capsys):
    print_table(("a", "b"), [])
    assert capsys.readouterr().out == "a  b\n"


def test_nothing_in_a_cell_is_markup(capsys):
    print_table(("a",), [("[red]:warning:[/]",)])
    assert capsys.readouterr().out.splitlines()[1] == "[red]:warning:[/]"


@pytest.mark.parametrize(
    ("moment", "words"),
    [("2026-11-23T02:54:22+09:00", "2026-11-23 02:54:22"), (None, "never")],
)
def test_a_moment_is_said_as_a_clock_on_the_wall_does(moment, words):
    assert clock(moment) == words


def test_one_is_no_plural():
    assert [counted(count, "change") for count in (0, 1, 2)] == ["0 changes", "1 change", "2 changes"]


def test_what_is_not_there_is_a_dash_and_zero_is_there():
    assert list(rows_of([{"a": None, "b": "", "c": 0}], "c", "b", "a")) == [[0, "-", "-"]]
