"""The filter agrees with the JSON reader of the standard library for slices of any size."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.policy.call.member_filter import MAX_TOKENS, MemberFilter

PIECES = [
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        '"a"',
        '"b"',
        '"memo"',
        '"\\u0061"',
        '"\\n"',
        '"\\ud800"',
        '"\\ud83d\\ude00"',
    ),
    *(
        "1",
        "-0",
        "01",
        "1.5",
        "1.",
        "1e5",
        "-",
        "true",
        "false",
        "null",
        "nul",
        "NaN",
        "'a'",
        '"',
        '"\\x"',
        "\t",
        "\u00a0",
    ),
    *('{"a":1}', '"a":1', "[1,2]", '"memo":{"b":[1]}'),
]


def remove_memo(text, tokens=10_000):
    """Returns a JSON text without its `memo` members, None when it is not a JSON object."""
    try:
        member_filter = MemberFilter(text.encode(), frozenset({"memo"}))
        while not member_filter.read(tokens):
            pass
    except ValueError:
        return None
    return member_filter.result.decode()


def remove_memo_by_json(text):
    """Returns the same as values, by the standard library."""

    def build_object(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("duplicate name")
        return {name: value for name, value in pairs if name.lower() != "memo"}

    def refuse_constant(name):
        raise ValueError(name)

    try:
        value = json.loads(text, object_pairs_hook=build_object, parse_constant=refuse_constant)
        text.encode()
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


texts = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2) | st.just("memo"), inner, max_size=4)
    ),
    max_leaves=20,
)
objects = st.dictionaries(st.text(max_size=2), values, max_size=4)


@given(texts | objects.map(json.dumps) | objects.map(lambda value: json.dumps(value, indent=1, ensure_ascii=False)))
def test_the_filter_agrees_with_the_json_module(text):
    left, expected = remove_memo(text), remove_memo_by_json(text)
    if expected is None:
        assert left is None or '"memo"' in text  # a lone surrogate may be in a removed member
    else:
        assert json.loads(left) == expected


@given(texts | objects.map(json.dumps), st.integers(1, 9))
def test_the_size_of_slices_does_not_matter(text, tokens):
    assert remove_memo(text, tokens) == remove_memo(text)


@pytest.mark.parametrize(
    "text",
    ['{"a":' * 101 + "1" + "}" * 101, '{"a":' + "[" * 100 + "]" * 100 + "}", '{"a":[' + "1," * MAX_TOKENS + "1]}"],
    ids=["objects", "lists", "values"],
)
def test_deep_nesting_and_many_values_are_refused(text):
    assert remove_memo(text) is None


def test_five_hundred_full_rows_are_read():
    row = {f"field_{number}": "x" * 20 for number in range(25)}
    assert len(json.loads(remove_memo(json.dumps({"list": [row] * 500})))["list"]) == 500


@pytest.mark.parametrize(
    "names",
    [[f"name{number}" for number in range(501)], ["x" * 101]],
    ids=["too many", "too long"],
)
def test_too_many_and_too_long_names_are_refused(names):
    assert remove_memo(json.dumps(dict.fromkeys(names, "1"))) is None
    assert remove_memo(json.dumps(dict.fromkeys(names[:499], "1"))) is None or len(names) > 1
