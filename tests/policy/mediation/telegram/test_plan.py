import json

import pytest

from relay.policy.mediation.telegram.notation import Item
from relay.policy.mediation.telegram.plan import compile_message, find_groups, get_size, iter_fields


def compile_fields(entries):
    items = [Item.model_validate_json(json.dumps({"optional": [entry]})).optional[0] for entry in entries]
    problems = []
    return compile_message((), "fields", items, "EUC-KR", problems), [(error.key, error.wrong) for error in problems]


def rows(**values):
    return {"list": "rows", "fields": ["a an(2)", "b an(3)"], **values}


@pytest.mark.parametrize(
    ("entries", "key", "wrong"),
    [
        (["a an(3)", "b an(2) at 2"], "fields[1]", "begins at 2 and overlaps the field before it"),
        (["a an(3)", "b an(2) at 5"], "fields[1]", "leaves a gap of 2 bytes before it"),
        (["a an(3)", "a an(2)"], "fields[1]", "repeats the name a"),
        (["a date(7)"], "fields[0]", "has a length that date cannot have"),
        (["a binary(9)"], "fields[0]", "has a length that binary cannot have"),
        (["a packed(17)"], "fields[0]", "has a length that packed cannot have"),
        (["a an(3,2)"], "fields[0]", "has decimals that do not fit"),
        (["a an(3) sign leading"], "fields[0]", "has a sign"),
        (["a n(3) = 1234"], "fields[0]", "has a constant that does not fit"),
        (["n n(1)", rows(count="n", max=10)], "fields[1].count", "is too short: 1 digits for 10 rows"),
        ([rows(count="n")], "fields[0].count", "names n, which is no number before the list in the same record"),
        (["n an(2)", rows(count="n")], "fields[1].count",
         "names n, which is no number before the list in the same record"),
        (["n n(2)", rows(count="n"), "c an(1) at 99"], "fields[2]", "has an offset after rows that are counted"),
        (["rows n(2)", rows(count="rows")], "fields[1]", "repeats the name rows"),
        ([{"optional": ["a an(1)"]}, "b an(1)"], "fields[1]", "follows the optional part"),
        (["n n(1)", rows(count="n", fields=[{"optional": ["a an(1)"]}])], "fields[1].fields[0]", "is in rows"),
        ([rows(times=2, fields=["m n(1)", {"list": "in", "count": "m", "fields": ["a an(1)"]}])], "fields[0]",
         "has rows of different sizes"),
        ([rows(times=1, fields=[{"list": "x", "times": 1, "fields": [
            {"list": "y", "times": 1, "fields": ["a an(1)"]}]}])], "fields[0].fields[0].fields[0]",
         "is nested too deeply"),
    ],
)  # fmt: skip
def test_a_wrong_layout_is_a_problem_with_its_key(entries, key, wrong):
    _, problems = compile_fields(entries)
    assert problems == [(key, wrong)]


def test_all_problems_are_found_at_once():
    _, problems = compile_fields(["a an(3) at 1", "a date(5)", "b n(2) = x"])
    assert [key for key, _ in problems] == ["fields[0]", "fields[1]", "fields[2]"]


def test_fields_follow_each_other():
    plan, problems = compile_fields(["a an(3)", "filler(2)", "b an(4)", rows(times=2), "c an(1) at 19"])
    assert problems == []
    assert [(field.name, field.offset) for field in iter_fields(plan.parts)] == [("a", 0), ("b", 5), ("c", 19)]
    assert list(find_groups(plan.parts)) == ["rows"]


def test_sizes_are_those_of_the_shortest_and_the_longest():
    plan, _ = compile_fields(["n n(2)", rows(count="n", max=4), {"optional": ["c an(7)"]}])
    assert (get_size(plan.parts), get_size(plan.parts, largest=True)) == (2, 29)
