import json
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.json_api.plan import compile_field
from relay.policy.mediation.json_api.requests import RequestPlan, write_request


def build_plan(items_of, path="/a", query=(), headers=(), body=(), charset="UTF-8"):
    def build(lines):
        return tuple(compile_field("x", item, {}, []) for item in items_of(list(lines)))

    return RequestPlan("POST", path, build(query), build(headers), build(body), charset)


def write(plan, **values):
    return write_request("t", plan, values.get)


def test_values_are_in_path_query_headers_and_body(items_of):
    plan = build_plan(
        items_of,
        "/policies/{$insu_num}/x",
        ["from date YYYY-MM-DD = $day", "name ah(9)"],
        ["X-No an(9) = $number", "X-Empty an(9) = $none"],
        ["a decimal(9,2) at o.a = $number", "b boolean at o.p.b = true", "c ah(9) = $name", "d an(1) = $none"],
    )
    request = write(plan, insu_num="L 1/2", day="20260131", name="가 &", number="7")
    assert request.target == "/policies/L%201%2F2/x?from=2026-01-31&name=%EA%B0%80%20%26"
    assert request.headers == (("X-No", "7"), ("Content-Type", "application/json; charset=UTF-8"))
    assert request.body.decode() == '{"o":{"a":7,"p":{"b":true}},"c":"가 &"}'
    assert plan.names == {"insu_num", "day", "name", "number", "none"}


def test_codes_translate_values(items_of):
    line = {"name": "flag", "type": "an", "length": 1, "value": "$page", "codes": {"first": "F"}, "default": "N"}
    plan = build_plan(items_of, query=[line])
    assert [write(plan, page=page).target for page in ("first", "next")] == ["/a?flag=F", "/a?flag=N"]


def test_other_charsets(items_of):
    plan = build_plan(items_of, query=["name ah(9)"], body=["name ah(9)"], charset="EUC-KR")
    request = write(plan, name="가")
    assert (request.target, request.body) == ("/a?name=%B0%A1", '{"name":"가"}'.encode("euc-kr"))
    with pytest.raises(ConversionError, match=r"characters of EUC-KR|body"):
        write(build_plan(items_of, body=["name ah(9)"], charset="EUC-KR"), name="😀")


def test_a_name_of_the_query_may_have_dots(items_of):
    plan = build_plan(items_of, query=["from_date date YYYY-MM-DD at period.from"], headers=["X-A an(1) = a"])
    assert write(plan, from_date="20260131").target == "/a?period.from=2026-01-31"


def test_characters_that_the_charset_lacks_have_their_place(items_of):
    plan = build_plan(items_of, query=["name ah(9)"], charset="EUC-KR")
    with pytest.raises(ConversionError, match="t: query: name: expected characters of EUC-KR"):
        write(plan, name="😀")


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_path_value_cannot_be_another_segment(items_of, value):
    with pytest.raises(ConversionError, match="path: insu_num: expected a value that can be a part of a path"):
        write(build_plan(items_of, "/a/{$insu_num}/b"), insu_num=value)


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "가", " a", "a\n"])
def test_a_header_value_cannot_end_its_line(items_of, value):
    with pytest.raises(ConversionError, match="header: X-No: expected"):
        write(build_plan(items_of, headers=["X-No ah(99) = $number"]), number=value)


def test_a_value_that_does_not_fit_names_its_place(items_of):
    with pytest.raises(ConversionError, match="t: body: a: expected at most 1 printable"):
        write(build_plan(items_of, body=["a an(1)"]), a="ab")


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_any_value_stays_in_its_place(items_of, first, second):
    plan = build_plan(items_of, "/a/{$one}/b", ["two ah"], (), ["two ah"])
    try:
        request = write(plan, one=first, two=second)
    except ConversionError:
        return
    except UnicodeEncodeError:
        raise AssertionError("a lone surrogate") from None
    assert request.target.isascii()
    url = urlsplit(f"http://host{request.target}")
    parts = url.path.split("/")
    assert (len(parts), parts[1], unquote(parts[2]), parts[3], url.fragment) == (4, "a", first, "b", "")
    assert parse_qsl(url.query, keep_blank_values=True) == [("two", second)]
    assert json.loads(request.body) == {"two": second}
