"""JSON that all readers see alike, and JSON that readers could see differently."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.strict_json import DuplicateName, read_object


@pytest.mark.parametrize(
    ("data", "members"),
    [
        (b"{}", {}),
        (b' {"a": 1, "b": "1"} ', {"a": 1, "b": "1"}),
        ('{"이름": "김가람"}'.encode(), {"이름": "김가람"}),
        (b'{"a": {"b": 1}, "c": {"b": 2}}', {"a": {"b": 1}, "c": {"b": 2}}),
        (b'{"a": null, "b": [true, 1.5]}', {"a": None, "b": [True, 1.5]}),
    ],
)
def test_an_object_is_parsed(data, members):
    assert read_object(data) == members


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (b"999999999999999.999", "999999999999999.999"),
        (b"-0.10", "-0.1"),
        (b"1.000", "1.0"),
        (b"1.5E3", 1500.0),
        (b"12", 12),
    ],
)
def test_decimals_keep_their_digits_on_request(number, value):
    member = read_object(b'{"a": ' + number + b"}", keeps_decimals=True)["a"]
    assert (member, isinstance(member, str)) == (value, isinstance(value, str))


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "a": 2}',
        b'{"a": 1, "\\u0061": 2}',  # the same name in another spelling
        b'{"x": {"a": 1, "a": 2}}',
        b'{"x": [{"a": 1, "a": 2}]}',
    ],
)
def test_a_duplicate_name_is_refused(data):
    with pytest.raises(DuplicateName):
        read_object(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"7",
        b'"text"',
        b"[]",
        b"[{}]",
        b"{",
        b"{}x",
        b"{}{}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 01}',
        b'{"a": +1}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": "\n"}',
        b"// no\n{}",
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",  # a byte order mark
        '{"a": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_other_input_is_a_value_error(data):
    with pytest.raises(ValueError, match=r".") as caught:
        read_object(data)
    assert not isinstance(caught.value, DuplicateName)


@settings(max_examples=40)  # keeps the tests of this folder below one second
@given(st.binary(max_size=100))
def test_any_bytes_give_an_object_or_a_value_error(data):
    with contextlib.suppress(ValueError):
        assert isinstance(read_object(data), dict)


@settings(max_examples=30)
@given(st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=8)))
def test_a_serialized_object_is_parsed_back(members):
    assert read_object(json.dumps(members).encode()) == members
