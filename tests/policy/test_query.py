"""Parameters: each name once, whoever decodes it, and every value as it was meant."""

from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.domain.fault import Refusal
from relay.policy.query import body_parameters, query_parameters


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"", {}),
        (b"org_code=ZBAA000001&limit=500", {"org_code": "ZBAA000001", "limit": "500"}),
        (b"a=", {"a": ""}),
        (b"a", {"a": ""}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=1&", {"a": "1", "": ""}),
        (b"a=x+y%2Bz", {"a": "x y+z"}),
        (b"%6Frg_code=Z", {"org_code": "Z"}),
        (b"a=%26%3D%25", {"a": "&=%"}),
        (b"a=%2541", {"a": "%41"}),  # decoded once
        (b"a=%ED%95%9C", {"a": "한"}),
        (b"A=1&a=2", {"A": "1", "a": "2"}),
        (b"a[]=1&a=2", {"a[]": "1", "a": "2"}),
    ],
)
def test_a_query_is_read(query, found):
    assert query_parameters(query) == found


@pytest.mark.parametrize(
    ("query", "name", "detail"),
    [
        (b"org_code=A&org_code=A", "parameter_twice", "org_code"),
        (b"org_code=A&x=1&org_code", "parameter_twice", "org_code"),
        (b"org_code=A&%6frg_code=B", "parameter_twice", "org_code"),
        (b"org_code=A&org%5Fcode=B", "parameter_twice", "org_code"),
        (b"%61=1&%61=2", "parameter_twice", "a"),
        (b"a+b=1&a%20b=2", "parameter_twice", ""),
        (b"%3Cscript%3E=1&%3Cscript%3E=2", "parameter_twice", ""),
        (b"x" * 41 + b"=1&" + b"x" * 41, "parameter_twice", ""),
        (b"%ED%95%9C=1&%ED%95%9C=2", "parameter_twice", ""),
        (b"a=1&&b=2&", "parameter_twice", ""),
        (b"a=%FF", "parameter_malformed", "UTF-8"),
        (b"a=%B0%A1", "parameter_malformed", "UTF-8"),  # CP949
        (b"%FF=a", "parameter_malformed", "UTF-8"),
        (b"a=%ED%A0%80", "parameter_malformed", "UTF-8"),  # half of a pair
        (b"a=%C0%AF", "parameter_malformed", "UTF-8"),  # a slash, overlong
    ],
)
def test_a_query_that_could_be_read_in_two_ways_is_refused(query, name, detail):
    for _ in range(2):  # the first time and once it is known
        with pytest.raises(Refusal) as refusal:
            query_parameters(query)
        assert (refusal.value.fault.name, refusal.value.detail) == (name, detail)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(texts, texts, min_size=1, max_size=6), st.sampled_from([quote, quote_plus]))
@example({"org_code": "a+b %"}, quote)
def test_what_any_writer_writes_is_read_as_it_was_meant(parameters, how):
    query = urlencode(parameters, quote_via=how).encode()
    assert query_parameters(query) == parameters


@given(texts.filter(bool), texts, texts)
def test_no_name_stands_twice_however_it_is_written(name, one, other):
    spelt = ["".join(f"%{byte:02x}" for byte in name.encode()), quote_plus(name), quote(name, safe="")]
    for first in spelt:
        for second in spelt:
            with pytest.raises(Refusal):
                query_parameters(f"{first}={quote(one)}&{second}={quote(other)}".encode())


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'"a"', b"1", b"null", b"{", b'{"a":NaN}', b"\xff", b"{}x", b"\xef\xbb\xbf{}"]
)
def test_a_body_that_is_no_json_object_is_refused(body):
    with pytest.raises(Refusal) as refusal:
        body_parameters(body)
    assert refusal.value.fault.name == "body_not_json"


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b'{"org_code":"A","org\\u005fcode":"B"}', b'{"b":{"a":1,"a":1}}'])
def test_a_name_that_stands_twice_in_a_body_is_refused(body):
    with pytest.raises(Refusal) as refusal:
        body_parameters(body)
    assert refusal.value.fault.name == "parameter_twice"


def test_a_body_is_read():
    assert body_parameters(' {"org_code":"A","name":"한","n":1,"l":[]}'.encode()) == {
        "org_code": "A",
        "name": "한",
        "n": 1,
        "l": [],
    }
