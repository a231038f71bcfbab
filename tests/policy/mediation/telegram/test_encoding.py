import pytest

from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.inspection import encode_message


def encode(plan, values, context=None):
    return encode_message("test", plan, values, context)


def test_constants_values_and_fillers_are_written(plan_of):
    plan = plan_of(["a an(2) = X", "filler(2)", "b n(3) = $number", "c an(2)"])
    assert encode(plan, {"c": "Z"}, {"number": "7"}) == b"X   007Z "


def test_a_count_is_that_of_its_rows(plan_of):
    plan = plan_of(["n n(2)", {"list": "rows", "count": "n", "times": 3, "fields": ["a n(2)", "b an(1)"]}])
    assert encode(plan, {"rows": [{"a": "1", "b": "x"}]}) == b"0101x" + b"   " * 2
    with pytest.raises(ConversionError, match="at most 3 rows"):
        encode(plan, {"rows": [{}] * 4})


def test_an_optional_part_is_written_with_values(plan_of):
    plan = plan_of(["a an(1)", {"optional": ["b an(1)"]}])
    assert encode(plan, {"a": "A"}) == b"A"
    assert encode(plan, {"a": "A", "b": "B"}) == b"AB"


def test_a_code_table_translates_values(plan_of):
    field = {"name": "flag", "type": "an", "length": 1, "codes": {"first": "0", "next": "1"}, "value": "$page"}
    plan = plan_of([field])
    assert encode(plan, {}, {"page": "next"}) == b"1"
    with pytest.raises(ConversionError, match="a value of its code table"):
        encode(plan, {}, {"page": "other"})


def test_a_default_stands_for_no_value(plan_of):
    assert encode(plan_of([{"name": "a", "type": "an", "length": 2, "default": "NA"}]), {}) == b"NA"


def test_a_value_that_does_not_fit_is_named_with_its_place(plan_of):
    plan = plan_of(["n n(2)", {"list": "rows", "count": "n", "fields": ["a n(2)", "b an(1)"]}])
    with pytest.raises(ConversionError) as caught:
        encode(plan, {"rows": [{"a": "1"}, {"a": "x"}]})
    assert (caught.value.offset, caught.value.field, caught.value.expected) == (5, "rows[1].a", "at most 2 digits")
