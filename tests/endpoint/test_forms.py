"""Fields are read so that no two readers could see different ones."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.endpoint.calls import Call
from relay.endpoint.errors import OAuthRefusal
from relay.endpoint.forms import Fields, form_of, hold, read_fields

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "values", "wrong"),
    [
        ("", {}, ""),
        ("a=1&b=2", {"a": "1", "b": "2"}, ""),
        ("a=1+2%2B3", {"a": "1 2+3"}, ""),
        ("a", {"a": ""}, ""),
        ("a=b=c", {"a": "b=c"}, ""),
        ("a=%EA%B0%80", {"a": "가"}, ""),
        ("a=가", {"a": "가"}, ""),
        ("a=1&a=1", {}, "parameter_twice"),
        ("a=1&a=2&a=3&b=4", {"b": "4"}, "parameter_twice"),
        ("a=1&%61=2&b=4", {"b": "4"}, "parameter_twice"),
        ("a=%&b=4", {"b": "4"}, "parameter_malformed"),
        ("a=%ed%a0%80&b=4", {"b": "4"}, "parameter_malformed"),
        ("a b=1&b=4", {"b": "4"}, "parameter_malformed"),
        ("&b=4", {"b": "4"}, ""),
        ("a=1&", {"a": "1"}, ""),
        ("&&a=1&&&b=4&&", {"a": "1", "b": "4"}, ""),
        ("&" * 1000, {}, ""),
        ("a=1&&a=1", {}, "parameter_twice"),
        ("=1&b=4", {"b": "4"}, "parameter_malformed"),
        ("=&b=4", {"b": "4"}, "parameter_malformed"),
    ],
)
def test_what_has_one_reading_is_read(text, values, wrong):
    found = read_fields(text)
    assert (found.values, found.wrong[0] if found.wrong else "") == (values, wrong)


@given(st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=20))
def test_what_a_client_encodes_is_read_as_it_was(fields):
    assert read_fields(urlencode(fields)) == Fields(fields)


@given(st.text())
def test_no_text_breaks_the_reader(text):
    found = read_fields(text)
    assert all(found.values)


def test_fields_show_nothing_of_what_was_sent():
    assert "secret" not in repr(read_fields("client_secret=secret"))


def call(body=b"a=1", content_type=("application/x-www-form-urlencoded",), query=None, **headers):
    return Call("", frozenset(), "", query, {"content-type": content_type} | headers, body)


def test_a_form_is_read():
    assert form_of(call()) == {"a": "1"}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (call(query=""), "parameter_malformed"),
        (call(query="a=1"), "parameter_malformed"),
        (call(content_type=()), "header_malformed"),
        (call(content_type=("application/x-www-form-urlencoded",) * 2), "header_malformed"),
        (call(b"a=\xff"), "parameter_malformed"),
        (call(b"a=1&a=2"), "parameter_twice"),
        (call(**{"content-encoding": ("identity",)}), "header_malformed"),
    ],
)
def test_a_form_that_is_none_is_an_invalid_request(wrong, reason):
    with pytest.raises(OAuthRefusal) as refused:
        form_of(wrong)
    assert (refused.value.error, refused.value.reason) == ("invalid_request", reason)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"token": None}, "필수 요청 파라미터가 없습니다: token (aNS(1500))"),
        ({"Client_Id": "c"}, "표준 파라미터와 혼동될 수 있는 이름이 있습니다: client_id"),
        ({"client_id": "a-b"}, "요청 파라미터의 형식이 올바르지 않습니다: client_id (aN(50))"),
    ],
)
def test_a_field_that_does_not_fit_is_named_and_never_told(changes, said):
    values = {"org_code": "ZBAA000001", "token": "t", "client_id": "c", "client_secret": "s"} | changes
    with pytest.raises(OAuthRefusal) as refused:
        hold("개별인증-004", {name: value for name, value in values.items() if value is not None})
    assert refused.value.description == said
    assert refused.value.__cause__ is None
