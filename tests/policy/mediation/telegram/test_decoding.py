import pytest

from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.inspection import decode_message
from relay.policy.mediation.telegram.decoding import Decoder


def decode(plan, data, expected=None):
    return decode_message("test", plan, data, expected)


def test_a_fixed_group_has_no_blank_rows_at_its_end(plan_of):
    plan = plan_of([{"list": "rows", "times": 4, "fields": ["a an(2)", "n n(2)"]}, "end an(1)"])
    assert decode(plan, b"A 01" + b"  00" + b"B 02" + b"  00" + b"E") == {
        "rows": [{"a": "A", "n": "01"}, {"a": "", "n": "00"}, {"a": "B", "n": "02"}],
        "end": "E",
    }


def test_a_counted_group_may_have_a_fixed_space(plan_of):
    plan = plan_of(["n n(1)", {"list": "rows", "count": "n", "times": 3, "fields": ["a an(2)"]}, "end an(1)"])
    assert decode(plan, b"1A B C E")["rows"] == [{"a": "A"}]
    with pytest.raises(ConversionError, match="at most 3 rows"):
        decode(plan, b"4A B C E")


def test_nested_rows_belong_to_their_row(plan_of):
    inner = {"list": "inner", "count": "m", "fields": ["b an(1)"]}
    plan = plan_of(["n n(1)", {"list": "rows", "count": "n", "fields": ["a an(1)", "m n(1)", inner, "c an(1)"]}])
    assert decode(plan, b"3" + b"A2xyZ" + b"B0Z" + b"C1wZ")["rows"] == [
        {"a": "A", "m": "2", "inner": [{"b": "x"}, {"b": "y"}], "c": "Z"},
        {"a": "B", "m": "0", "inner": [], "c": "Z"},
        {"a": "C", "m": "1", "inner": [{"b": "w"}], "c": "Z"},
    ]


def test_a_nested_count_that_is_too_large_is_named_by_its_rows(plan_of):
    inner = {"list": "inner", "count": "m", "fields": ["b an(2)", "c an(1)"]}
    plan = plan_of(["n n(1)", {"list": "rows", "count": "n", "fields": ["m n(1)", inner]}])
    with pytest.raises(ConversionError) as caught:
        decode(plan, b"2" + b"1abc" + b"9abcab")
    assert (caught.value.field, caught.value.offset) == ("rows[1].inner[1].c", 11)
    with pytest.raises(ConversionError) as caught:
        decode(plan, b"2" + b"9abc" + b"1abc")
    assert (caught.value.field, caught.value.offset) == ("rows[0].inner[2].b", 8)


def test_an_optional_part_may_be_absent(plan_of):
    group = {"list": "rows", "count": "n", "fields": ["b an(1)"]}
    plan = plan_of(["a an(1)", {"optional": ["n n(1)", group]}])
    assert decode(plan, b"A") == {"a": "A", "n": "", "rows": []}
    assert decode(plan, b"A2xy") == {"a": "A", "n": "2", "rows": [{"b": "x"}, {"b": "y"}]}


def test_values_of_the_request_must_be_repeated(plan_of):
    plan = plan_of(["a an(5) = $account", "u n(5) = $unique_number", "d date = $today"])
    expected = {"account": "12", "unique_number": "7"}
    assert decode(plan, b"12   0000720260101", expected) == {"a": "12", "u": "00007", "d": "20260101"}
    with pytest.raises(ConversionError) as caught:
        decode(plan, b"12   0000820260101", expected)
    assert (caught.value.offset, caught.value.field) == (5, "u")
    assert caught.value.expected == "the $unique_number of the request"


def test_a_count_without_maximum_is_bounded(plan_of):
    plan = plan_of(["n n(6)", {"list": "rows", "count": "n", "fields": ["a an(1)"]}])
    with pytest.raises(ConversionError, match="at most 10000 rows"):
        decode(plan, b"999999")


def test_the_offset_of_a_value_is_known(plan_of):
    plan = plan_of(["n n(1)", {"list": "rows", "count": "n", "fields": ["a an(2)", "b an(1)"]}, "c an(1)"])
    table = Decoder("test", b"2A 1B 2C", {}).decode(plan)
    assert (table.find_offset("c", 0), table.groups["rows"].find_offset("b", 1), table.get("c")) == (7, 6, "C")
    assert (table.get("unknown"), table.find_offset("unknown", 5)) == ("", -1)


def test_a_second_counted_list_follows_the_first(plan_of):
    plan = plan_of(
        [
            "a n(1)",
            {"list": "first", "count": "a", "fields": ["x an(1)"]},
            "b n(1)",
            {"list": "second", "count": "b", "max": 3, "fields": ["y an(1)"]},
        ]
    )
    assert decode_message("test", plan, b"2pq1r") == {
        "a": "2", "first": [{"x": "p"}, {"x": "q"}], "b": "1", "second": [{"y": "r"}],
    }  # fmt: skip
    with pytest.raises(ConversionError, match=r"offset 3: b: expected at most 3 rows"):
        decode_message("test", plan, b"2pq4rstu")
