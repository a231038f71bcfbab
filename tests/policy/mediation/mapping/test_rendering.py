import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.api import Field, Presence
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.mapping.expressions import Frame, Source
from relay.policy.mediation.mapping.rendering import FieldOutput, ListOutput, ObjectOutput, Renderer, quote
from relay.policy.mediation.mapping.targets import compile_target
from relay.policy.mediation.telegram.codec import Kind
from relay.policy.mediation.telegram.decoding import Table


def build_output(name, values, *, required=False):
    source = Source(lambda _: values, Kind.TEXT, 90, field=name)
    presence = Presence.REQUIRED if required else Presence.OPTIONAL
    target = compile_target("x", Field(name, "AH", "90", presence, "", {}, ""), source)
    return FieldOutput(name, quote(name) + b":", source, target, required)


def render(outputs, rows):
    table = Table(list(range(0, rows * 10, 10)))
    return [json.loads(text) for text in Renderer("test").render(ObjectOutput(tuple(outputs)), Frame(table), "rows")]


texts = st.text(st.characters(codec="utf-8"), max_size=8)


@given(st.integers(0, 4).flatmap(
    lambda rows: st.tuples(st.just(rows), st.dictionaries(
        st.sampled_from("abcde"), texts | st.lists(texts, min_size=rows, max_size=rows)))))  # fmt: skip
def test_any_text_is_rendered_as_json(case):
    rows, values = case
    outputs = [
        build_output(name, column.encode() if isinstance(column, str) else [value.encode() for value in column])
        for name, column in values.items()
    ]
    expected = [
        {name: text for name, column in values.items() if (text := column if isinstance(column, str) else column[row])}
        for row in range(rows)
    ]
    assert render(outputs, rows) == expected


def test_a_required_value_that_is_blank_is_named_with_its_place():
    with pytest.raises(ConversionError) as caught:
        render([build_output("a", [b"x", b""], required=True)], 2)
    assert (caught.value.field, caught.value.offset) == ("rows[1].a", 10)


def build_list(counts, *, required):
    table = Table([0] * len(counts), counts={"inner": list(counts)})
    table.groups["inner"] = Table([0] * sum(counts))
    inner = ObjectOutput((build_output("v", [b"x"] * sum(counts)),))
    entry = ListOutput("inner_list", "inner", inner, "inner_cnt", 2, required)
    return ObjectOutput((build_output("a", b"1"),), (entry,)), Frame(table)


def test_lists_are_those_of_their_row():
    output, frame = build_list([2, 0], required=True)
    assert [json.loads(text) for text in Renderer("test").render(output, frame)] == [
        {"a": "1", "inner_cnt": "2", "inner_list": [{"v": "x"}, {"v": "x"}]},
        {"a": "1", "inner_cnt": "0", "inner_list": []},
    ]


def test_an_optional_list_without_rows_is_left_out():
    output, frame = build_list([1, 0], required=False)
    assert [json.loads(text) for text in Renderer("test").render(output, frame)] == [
        {"a": "1", "inner_cnt": "1", "inner_list": [{"v": "x"}]},
        {"a": "1", "inner_cnt": "0"},
    ]


def test_a_list_longer_than_its_count_can_say_is_refused():
    output, frame = build_list([3], required=True)
    with pytest.raises(ConversionError, match="2 rows"):
        Renderer("test").render(output, frame)
