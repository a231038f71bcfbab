"""The reader in slices agrees with the reader of the standard library, however it is sliced."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.policy.call.member_filter import TOKENS_MOST, MemberFilter

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


def filtered(text, tokens=10_000):
    """What is left of a JSON text without `memo`; None when it is no JSON object."""
    try:
        reading = MemberFilter(text.encode(), frozenset({"memo"}))
        while not reading.read(tokens):
            pass
    except ValueError:
        return None
    return reading.result.decode()


def by_json(text):
    """The same by the standard library, as values."""

    def once(pairs):
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("doubled")
        return {name: value for name, value in pairs if name.lower() != "memo"}

    def no_constant(name):
        raise ValueError(name)

    try:
        value = json.loads(text, object_pairs_hook=once, parse_constant=no_constant)
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
def test_it_takes_what_json_takes_and_leaves_the_same(text):
    left, expected = filtered(text), by_json(text)
    if expected is None:
        assert left is None or '"memo"' in text  # half a surrogate may stand in what is left out
    else:
        assert json.loads(left) == expected


@given(texts | objects.map(json.dumps), st.integers(1, 9))
def test_slices_of_any_size_leave_the_same(text, tokens):
    assert filtered(text, tokens) == filtered(text)


@pytest.mark.parametrize(
    "text",
    ['{"a":' * 101 + "1" + "}" * 101, '{"a":' + "[" * 100 + "]" * 100 + "}", '{"a":[' + "1," * TOKENS_MOST + "1]}"],
    ids=["objects", "lists", "values"],
)
def test_too_deep_and_too_many_is_no_answer(text):
    assert filtered(text) is None


def test_five_hundred_full_rows_are_read():
    row = {f"field_{number}": "x" * 20 for number in range(25)}
    assert len(json.loads(filtered(json.dumps({"list": [row] * 500})))["list"]) == 500


@pytest.mark.parametrize(
    "names",
    [[f"name{number}" for number in range(501)], ["x" * 101]],
    ids=["too many", "too long"],
)
def test_names_that_no_answer_of_the_standard_has_are_no_answer(names):
    assert filtered(json.dumps(dict.fromkeys(names, "1"))) is None
    assert filtered(json.dumps(dict.fromkeys(names[:499], "1"))) is None or len(names) > 1
