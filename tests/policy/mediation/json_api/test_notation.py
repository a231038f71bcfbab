import pytest
from pydantic import ValidationError


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("no an(20)", {"name": "no", "type": "an", "length": 20, "keys": ("no",)}),
        ("no an(20) at data.no = $insu_num", {"keys": ("data", "no"), "value": "$insu_num"}),
        ("amount number(18,3)", {"type": "decimal", "length": 18, "decimals": 3}),
        ("paid date YYYY.MM.DD at a.b", {"form": "YYYY.MM.DD", "at": "a.b"}),
        ("paid datetime epoch_ms", {"form": "epoch_ms"}),
        ("flag bool = true", {"type": "boolean", "value": "true"}),
        (
            "이름 text(10) at 고객.이름 = 'a = b'",
            {"name": "이름", "type": "ah", "keys": ("고객", "이름"), "value": "a = b"},
        ),
    ],
)
def test_a_line_is_a_field(items_of, line, values):
    (item,) = items_of([line])
    assert {name: getattr(item, name) for name in values} == values


def test_a_list_has_fields_and_a_path(items_of):
    (item,) = items_of([{"list": "rows", "at": "$", "optional": True, "fields": ["a an(1)"]}])
    assert (item.keys, item.optional, item.max, item.fields[0].keys) == ((), True, 999, ("a",))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("an(20)", "is not the line of a field"),
        ("no packed(3)", "names an unknown type"),
        ("no an(20) left", "unknown or incomplete word left"),
        ("no an(20) at", "unknown or incomplete word at"),
        ("no date(8)", "length: is set, but a date has none"),
        ("no an(3,1)", "decimals: does not fit"),
        ("no decimal(3,3)", "decimals: does not fit"),
        ("no an(3) YYYY", "form: does not fit the type an"),
        ("no date hh:mm", "form: does not fit the type date"),
        ("no an(3) at a..b", "should match pattern"),
        ({"name": "a"}, "type: is missing"),
        ({"type": "an"}, "name: is missing"),
        ({"list": "a"}, "fields: is missing"),
        ({"list": "a", "fields": ["b an(1)"], "type": "an"}, "both a field and a list"),
        ({"list": "a", "fields": ["b an(1)"], "length": 3}, "length: is set, but this is a list"),
        ({"name": "a", "type": "an", "optional": True}, "optional: is set, but this is a field"),
    ],
)
def test_a_wrong_field_is_an_error(items_of, entry, words):
    with pytest.raises(ValidationError, match=words):
        items_of([entry])
