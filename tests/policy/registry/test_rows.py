import re

import pytest

from relay.policy.registry.rows import MAX_LISTED, InvalidBody, Problems, Row, TextFormat

WORD = TextFormat(re.compile("[a-z가-힣]+"), 6, "is no short word")


@pytest.fixture
def row():
    """Returns a function that makes a row of these values."""
    return lambda **values: Row("list[3]", values, Problems())


@pytest.mark.parametrize(
    ("value", "text_format", "read"),
    [
        ("abc", WORD, "abc"),
        ("목록", WORD, "목록"),
        (12, TextFormat(re.compile("[0-9]+"), 2, ""), "12"),
        (None, WORD, ""),
        ("", WORD, ""),
    ],
)
def test_a_value_is_read_as_text(row, value, text_format, read):
    record = row(a=value)
    assert record.text("a", text_format) == read
    assert record.problems.count == 0


@pytest.mark.parametrize("value", ["ABC", "abcdefg", "목록들", 1.5, True, [], {}, "a\n", "\ud800"])
def test_an_invalid_value_is_reported_without_the_value(row, value):
    record = row(a=value)
    assert record.text("a", WORD) == ""
    assert record.problems.listed == ["list[3].a: is no short word"]


@pytest.mark.parametrize("values", [{}, {"a": None}, {"a": ""}])
def test_a_missing_required_value_is_reported(row, values):
    record = row(**values)
    assert record.required("a", WORD) == record.required("a", WORD, "kind 7") == ""
    assert record.problems.listed == ["list[3].a: is missing", "list[3].a: is missing (kind 7)"]


@pytest.mark.parametrize(
    ("value", "read"), [(True, True), (False, False), ("true", True), ("false", False), (None, False), ("", False)]
)
def test_booleans_are_json_booleans_or_texts(row, value, read):
    record = row(a=value)
    assert record.boolean("a") is read
    assert record.problems.count == 0


@pytest.mark.parametrize("value", ["TRUE", "1", 1, 0, [], "yes"])
def test_other_booleans_are_reported(row, value):
    record = row(a=value)
    assert record.boolean("a") is False
    assert record.problems.listed == ["list[3].a: is neither true nor false"]


@pytest.mark.parametrize(("value", "shown"), [("x", "x"), ("xxxx", ""), (7, ""), (None, ""), ("a\n", ""), ([], "")])
def test_an_invalid_displayed_value_is_no_problem(row, value, shown):
    record = row(a=value)
    assert record.displayed("a", 3) == shown
    assert record.problems.count == 0


@pytest.mark.parametrize("count", [None, "", "2", "002", 2])
def test_the_number_of_rows_equals_their_count(row, count):
    record = row(entries=[{"a": "x"}, {"a": "y"}], n=count)
    assert [each.required("a", WORD) for each in record.rows("entries", "n")] == ["x", "y"]
    assert [each.place for each in record.rows("entries", "n", 2)] == ["list[3].entries[0]", "list[3].entries[1]"]
    assert record.problems.count == 0


@pytest.mark.parametrize(
    ("values", "problem"),
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
def test_invalid_or_incomplete_lists_are_reported(row, values, problem):
    record = row(**values)
    list(record.rows("entries", "n", 3))
    assert record.problems.listed == [problem]


def test_a_hundred_problems_are_listed_and_all_are_counted():
    problems = Problems()
    problems.raise_if_any()
    for number in range(MAX_LISTED + 5):
        problems.add(f"at {number}", "is wrong")
    with pytest.raises(InvalidBody) as caught:
        problems.raise_if_any()
    assert (len(caught.value.problems), caught.value.count) == (MAX_LISTED, MAX_LISTED + 5)
    assert str(caught.value).startswith("at 0: is wrong; at 1: is wrong")
    assert str(caught.value).endswith("at 99: is wrong; and 5 more")


def test_the_repr_of_a_row_hides_its_values(row):
    assert "secret" not in repr(row(a="secret"))
