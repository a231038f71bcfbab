import re

import pytest

from relay.policy.registry.rows import TOLD_MOST, Form, Problems, Row, Unfit

WORD = Form(re.compile("[a-z가-힣]+"), 6, "is no short word")


@pytest.fixture
def row():
    """Makes a row of these values."""
    return lambda **values: Row("list[3]", values, Problems())


@pytest.mark.parametrize(
    ("value", "form", "read"),
    [
        ("abc", WORD, "abc"),
        ("목록", WORD, "목록"),
        (12, Form(re.compile("[0-9]+"), 2, ""), "12"),
        (None, WORD, ""),
        ("", WORD, ""),
    ],
)
def test_a_value_is_read_as_text(row, value, form, read):
    made = row(a=value)
    assert made.text("a", form) == read
    assert made.problems.found == 0


@pytest.mark.parametrize("value", ["ABC", "abcdefg", "목록들", 1.5, True, [], {}, "a\n", "\ud800"])
def test_a_value_of_another_form_is_told_and_not_repeated(row, value):
    made = row(a=value)
    assert made.text("a", WORD) == ""
    assert made.problems.told == ["list[3].a: is no short word"]


@pytest.mark.parametrize("values", [{}, {"a": None}, {"a": ""}])
def test_a_value_that_has_to_be_there_is_missing(row, values):
    made = row(**values)
    assert made.needed("a", WORD) == made.needed("a", WORD, "kind 7") == ""
    assert made.problems.told == ["list[3].a: is missing", "list[3].a: is missing (kind 7)"]


@pytest.mark.parametrize(
    ("value", "read"), [(True, True), (False, False), ("true", True), ("false", False), (None, False), ("", False)]
)
def test_booleans_are_jsons_or_words(row, value, read):
    made = row(a=value)
    assert made.boolean("a") is read
    assert made.problems.found == 0


@pytest.mark.parametrize("value", ["TRUE", "1", 1, 0, [], "yes"])
def test_other_booleans_are_told(row, value):
    made = row(a=value)
    assert made.boolean("a") is False
    assert made.problems.told == ["list[3].a: is neither true nor false"]


@pytest.mark.parametrize(("value", "kept"), [("x", "x"), ("xxxx", ""), (7, ""), (None, ""), ("a\n", ""), ([], "")])
def test_what_nobody_goes_by_stops_nothing(row, value, kept):
    made = row(a=value)
    assert made.unused("a", 3) == kept
    assert made.problems.found == 0


@pytest.mark.parametrize("count", [None, "", "2", "002", 2])
def test_rows_are_as_many_as_their_count_says(row, count):
    made = row(entries=[{"a": "x"}, {"a": "y"}], n=count)
    assert [each.needed("a", WORD) for each in made.rows("entries", "n")] == ["x", "y"]
    assert [each.place for each in made.rows("entries", "n", 2)] == ["list[3].entries[0]", "list[3].entries[1]"]
    assert made.problems.found == 0


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"entries": [{}], "n": "2"}, "list[3].n: says 2, entries holds 1"),
        ({"n": 4}, "list[3].n: says 4, entries holds 0"),
        ({"entries": [{}], "n": "one"}, "list[3].n: is no number"),
        ({"entries": {}, "n": "0"}, "list[3].entries: is no list"),
        ({"entries": "x", "n": "1"}, "list[3].entries: is no list"),
        ({"entries": [{}, "x"], "n": "2"}, "list[3].entries[1]: is no object"),
        ({"entries": [{}] * 4, "n": "4"}, "list[3].entries: holds 4 entries, 3 at most"),
    ],
)
def test_lists_that_are_none_or_half_are_told(row, values, told):
    made = row(**values)
    list(made.rows("entries", "n", 3))
    assert made.problems.told == [told]


def test_a_hundred_problems_are_told_and_all_are_counted():
    problems = Problems()
    problems.judge()
    for number in range(TOLD_MOST + 5):
        problems.add(f"at {number}", "is wrong")
    with pytest.raises(Unfit) as caught:
        problems.judge()
    assert (len(caught.value.problems), caught.value.found) == (TOLD_MOST, TOLD_MOST + 5)
    assert str(caught.value).startswith("at 0: is wrong; at 1: is wrong")
    assert str(caught.value).endswith("at 99: is wrong; and 5 more")


def test_a_row_never_shows_what_is_in_it(row):
    assert "secret" not in repr(row(a="secret"))
