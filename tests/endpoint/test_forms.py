"""Fields are parsed without ambiguity and validated."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.endpoint.calls import ForwardedCall
from relay.endpoint.errors import OAuthRefusal
from relay.endpoint.forms import Fields, parse_fields, parse_form, validate_fields

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "values", "fault"),
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
def test_only_unambiguous_fields_are_parsed(text, values, fault):
    fields = parse_fields(text)
    assert (fields.values, fields.problem[0] if fields.problem else "") == (values, fault)


@given(st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=20))
def test_encoded_fields_are_parsed_unchanged(fields):
    assert parse_fields(urlencode(fields)) == Fields(fields)


@given(st.text())
def test_any_text_can_be_parsed(text):
    fields = parse_fields(text)
    assert all(fields.values)


def test_fields_do_not_show_values():
    assert "secret" not in repr(parse_fields("client_secret=secret"))


def call(body=b"a=1", content_type=("application/x-www-form-urlencoded",), query=None, **headers):
    return ForwardedCall("", frozenset(), "", query, {"content-type": content_type} | headers, body)


def test_a_form_is_read():
    assert parse_form(call()) == {"a": "1"}


@pytest.mark.parametrize(
    ("invalid", "reason"),
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
def test_an_invalid_form_is_refused(invalid, reason):
    with pytest.raises(OAuthRefusal) as refused:
        parse_form(invalid)
    assert (refused.value.error, refused.value.reason) == ("invalid_request", reason)


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"token": None}, "필수 요청 파라미터가 없습니다: token (aNS(1500))"),
        ({"Client_Id": "c"}, "표준 파라미터와 혼동될 수 있는 이름이 있습니다: client_id"),
        ({"client_id": "a-b"}, "요청 파라미터의 형식이 올바르지 않습니다: client_id (aN(50))"),
    ],
)
def test_an_invalid_field_is_named_without_its_value(changes, description):
    values = {"org_code": "ZBAA000001", "token": "t", "client_id": "c", "client_secret": "s"} | changes
    with pytest.raises(OAuthRefusal) as refused:
        validate_fields("개별인증-004", {name: value for name, value in values.items() if value is not None})
    assert refused.value.description == description
    assert refused.value.__cause__ is None
