"""Tests of tables, times and counts."""

import pytest

from relay.runtime.commands.printing import exit_with, format_local, pluralize, print_table, table_rows


def test_columns_are_aligned_with_wide_letters(capsys):
    print_table(("name", "calls", "note"), [("가나다", 1, "one"), ("abc", 1000, "two")], right=("calls",))
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["name    calls  note", "가나다      1  one", "abc      1000  two"]


def test_nothing_is_cut_however_long(capsys):
    print_table(("a", "b"), [("x" * 100, "y " * 100)])
    assert capsys.readouterr().out.splitlines()[1] == f"{'x' * 100}  {('y ' * 100).rstrip()}"


def test_without_rows_only_the_heads_are_printed(capsys):
    print_table(("a", "b"), [])
    assert capsys.readouterr().out == "a  b\n"


def test_nothing_in_a_cell_is_markup(capsys):
    print_table(("a",), [("[red]:warning:[/]",)])
    assert capsys.readouterr().out.splitlines()[1] == "[red]:warning:[/]"


@pytest.mark.parametrize(
    ("iso_time", "text"),
    [("2026-11-23T02:54:22+09:00", "2026-11-23 02:54:22"), (None, "never")],
)
def test_local_times_omit_offset(iso_time, text):
    assert format_local(iso_time) == text


def test_one_is_singular():
    assert [pluralize(count, "change") for count in (0, 1, 2)] == ["0 changes", "1 change", "2 changes"]


def test_missing_values_are_dashes_and_zero_is_a_value():
    assert list(table_rows([{"a": None, "b": "", "c": 0}], "c", "b", "a")) == [[0, "-", "-"]]


def test_exit_with_prints_and_sets_the_exit_code(capsys):
    with pytest.raises(SystemExit) as raised:
        exit_with("no", 2)
    assert (raised.value.code, capsys.readouterr()) == (2, ("", "no\n"))
