import pytest
from pydantic import ValidationError

from relay.policy.mediation.telegram.notation import Item, parse_line


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("account an(20)", {"name": "account", "type": "an", "length": 20}),
        ("amount  amount(15,2)  sign leading", {"name": "amount", "type": "amount", "length": 15, "decimals": 2,
                                                "sign": "leading"}),
        ("day date = $today", {"name": "day", "type": "date", "value": "$today"}),
        ("kind n(4) = 0200", {"name": "kind", "type": "n", "length": 4, "value": "0200"}),
        ("kind n(4) = '0200'", {"name": "kind", "type": "n", "length": 4, "value": "0200"}),
        ("text AH(40)", {"name": "text", "type": "ah", "length": 40}),
        ("text text(40) right", {"name": "text", "type": "ah", "length": 40, "align": "right"}),
        ("sum comp-3(8)", {"name": "sum", "type": "packed", "length": 8}),
        ("no n(5) at 12 pad blank zero blank", {"name": "no", "type": "n", "length": 5, "at": 12, "pad": "blank",
                                                "zero_blank": True}),
        ("no binary(4) unsigned little", {"name": "no", "type": "binary", "length": 4, "unsigned": True,
                                          "little": True}),
        ("filler(30)", {"type": "filler", "length": 30}),
        ("empty an(3) =", {"name": "empty", "type": "an", "length": 3, "value": ""}),
    ],
)  # fmt: skip
def test_a_line_is_a_section(line, values):
    assert parse_line(line) == values


@pytest.mark.parametrize(
    "line",
    ["account", "account xx(20)", "account an(20", "account an(20) at", "account an(20) at x", "account an(20) sign",
     "account an(20) sign middle", "account an(20) backwards", "", "an(20)", "account an", "account an(0)",
     "account n(5) zero"],
)  # fmt: skip
def test_a_line_that_is_none_is_refused(line):
    with pytest.raises((ValidationError, ValueError)):
        Item.model_validate({"list": "rows", "times": 1, "fields": [line]})


@pytest.mark.parametrize(
    "values",
    [
        {"list": "rows", "fields": ["a an(1)"]},
        {"list": "rows", "times": 2},
        {"list": "rows", "times": 2, "type": "an", "fields": ["a an(1)"]},
        {"name": "a"},
        {"type": "an", "length": 3},
        {"optional": ["a an(1)"], "list": "rows", "times": 2, "fields": ["b an(1)"]},
        {"name": "a", "type": "an", "length": 3, "size": 4},
    ],
    ids=["no count", "no fields", "field and list", "no type", "no name", "list and optional", "unknown key"],
)
def test_a_section_that_is_none_is_refused(values):
    with pytest.raises(ValidationError):
        Item.model_validate(values)


def test_dates_and_times_have_their_usual_length():
    assert [Item.model_validate(parse_line(f"a {kind}")).bytes for kind in ("date", "time", "datetime")] == [8, 6, 14]
