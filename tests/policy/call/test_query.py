"""Parsing of parameters: duplicate names, encodings, and names that resemble parameters."""

from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.domain.fault import Refusal
from relay.policy.call.query import compile_name_check, parse_body, parse_query
from relay.standard.catalogue import load_catalogue


@pytest.mark.parametrize("nested", ["[]", '{"a":1}', '"[{[\\"{"'])
def test_many_sibling_lists_are_accepted(nested):
    body = '{"l":[' + ",".join([nested] * 200) + "]}"
    assert len(parse_body(body.encode())["l"]) == 200


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize(("depth", "is_accepted"), [(31, True), (32, False), (1000, False)])
def test_a_body_nested_deeper_than_32_is_refused(opens, closes, depth, is_accepted):
    body = ('{"l":' + opens * depth + "1" + closes * depth + "}").encode()
    if is_accepted:
        assert parse_body(body)["l"]
        return
    with pytest.raises(Refusal) as refused:
        parse_body(body)
    assert refused.value.fault.name == "body_not_json"


@pytest.mark.parametrize(
    ("query", "parameters"),
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
def test_a_query_is_parsed(query, parameters):
    assert parse_query(query).values == parameters


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
        (b"a=%FF", "parameter_malformed", "UTF-8만 허용됩니다"),
        (b"a=%B0%A1", "parameter_malformed", "UTF-8만 허용됩니다"),  # CP949
        (b"%FF=a", "parameter_malformed", "UTF-8만 허용됩니다"),
        (b"a=%ED%A0%80", "parameter_malformed", "UTF-8만 허용됩니다"),  # a lone surrogate
        (b"a=%C0%AF", "parameter_malformed", "UTF-8만 허용됩니다"),  # a slash, overlong
    ],
)
def test_an_ambiguous_query_is_refused(query, name, detail):
    for _ in range(2):  # parsed and cached
        with pytest.raises(Refusal) as refusal:
            parse_query(query)
        assert (refusal.value.fault.name, refusal.value.detail) == (name, detail)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(texts, texts, min_size=1, max_size=6), st.sampled_from([quote, quote_plus]))
@example({"org_code": "a+b %"}, quote)
def test_a_query_of_any_encoder_is_decoded(parameters, quote_via):
    query = urlencode(parameters, quote_via=quote_via).encode()
    assert parse_query(query).values == parameters


@given(texts.filter(bool), texts, texts)
def test_duplicate_names_are_refused_in_any_encoding(name, value, other):
    spellings = ["".join(f"%{byte:02x}" for byte in name.encode()), quote_plus(name), quote(name, safe="")]
    for first in spellings:
        for second in spellings:
            with pytest.raises(Refusal):
                parse_query(f"{first}={quote(value)}&{second}={quote(other)}".encode())


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'"a"', b"1", b"null", b"{", b'{"a":NaN}', b"\xff", b"{}x", b"\xef\xbb\xbf{}"]
)
def test_a_body_that_is_not_a_json_object_is_refused(body):
    with pytest.raises(Refusal) as refusal:
        parse_body(body)
    assert refusal.value.fault.name == "body_not_json"


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b'{"org_code":"A","org\\u005fcode":"B"}', b'{"b":{"a":1,"a":1}}'])
def test_a_duplicate_name_in_a_body_is_refused(body):
    with pytest.raises(Refusal) as refusal:
        parse_body(body)
    assert refusal.value.fault.name == "parameter_twice"


def test_a_body_is_parsed():
    assert parse_body(' {"org_code":"A","name":"한","n":1,"l":[]}'.encode()) == {
        "org_code": "A",
        "name": "한",
        "n": 1,
        "l": [],
    }


DATA = [*load_catalogue().iter_data_apis()]
NAMES = sorted({field.name for api in DATA for field in api.request.path + api.request.query + api.request.body})
TRANSACTIONS = compile_name_check(["org_code", "account_num", "seqno", "from_date", "to_date", "next_page", "limit"])

GO_FOLDS = {letter: {letter, letter.upper()} for letter in "abcdefghijklmnopqrstuvwxyz"}
GO_FOLDS["k"].add("\u212a")  # KELVIN SIGN
GO_FOLDS["s"].add("\u017f")  # LATIN SMALL LETTER LONG S
"""encoding/json: a member is a field's when unicode.SimpleFold leads from each character of one to the other's."""

PHP = {"_": {"_", ".", " ", "["}}
"""PHP: blanks, dots and an unclosed bracket in the name of a query parameter become underscores."""

ASP_NET = ("{}", "{}[0]", "{}[]", "request.{}", "request[{}]", "{}.value", " {}", "{} ", "+{}", "{}\0", "$.{}")
"""ASP.NET: model binding takes `prefix.name`, `prefix[name]` and `name[index]`; names are compared by upper case."""

SPELLINGS = {
    "capitals": str.upper,
    "title": str.title,
    "pascal": lambda name: name.title().replace("_", ""),
    "camel": lambda name: name[0] + name.title().replace("_", "")[1:],
    "kebab": lambda name: name.replace("_", "-"),
    "squeezed": lambda name: name.replace("_", ""),
}
"""Name policies of System.Text.Json, Jackson, Newtonsoft and of configuration binders."""


def find_resembled(check, *names):
    with pytest.raises(Refusal) as refusal:
        check(dict.fromkeys(names, "1"))
    assert refusal.value.fault.name == "parameter_ambiguous"
    return refusal.value.detail


@st.composite
def spelled(draw, table):
    """A name of the standard and another spelling of it; `table` has the variants of each character."""
    name = draw(st.sampled_from(NAMES))
    other = "".join(draw(st.sampled_from(sorted(table.get(char, {char})))) for char in name)
    return name, other


@given(spelled(GO_FOLDS))
def test_a_name_that_encoding_json_takes_for_another_is_refused(names):
    name, other = names
    check = compile_name_check([name])
    if other == name:
        check({name: "1"})
    else:
        assert find_resembled(check, other) == find_resembled(check, name, other) == name


@given(spelled(GO_FOLDS), st.sampled_from(ASP_NET))
def test_a_name_that_model_binding_takes_for_another_is_refused(names, form):
    name, other = names
    if form.format(other) != name:
        assert find_resembled(compile_name_check([name]), name, form.format(other)) == name


@given(spelled(PHP))
def test_a_name_that_php_takes_for_another_is_refused(names):
    name, other = names
    if other != name:
        assert find_resembled(compile_name_check([name]), other) == name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_name_by_another_policy_is_refused(name, spelling):
    other = SPELLINGS[spelling](name)
    if other != name:
        assert find_resembled(compile_name_check([name]), other) == name


WIDE = {char: {char, chr(ord(char) + 0xFEE0)} for char in "abcdefghijklmnopqrstuvwxyz_"}
ACCENTED = {char: {char, f"{char}\u0301", f"\u200b{char}", f"{char}\u00ad"} for char in "abcdefghijklmnopqrstuvwxyz"}


@given(spelled(WIDE) | spelled(ACCENTED), st.integers(0, 2))
def test_look_alikes_and_codings_of_a_name_are_refused(names, encodings):
    name, other = names
    for _ in range(encodings):
        other = "".join(f"%{byte:02X}" for byte in other.encode())
    if other != name:
        assert find_resembled(compile_name_check([name]), other) == name


@pytest.mark.parametrize(
    "name", ["Account_Num", "account_num ", "\u00a0account_num", "ACCOUNTNUM", "account_num[0]", "a.b.account_num",
             "\u1d43ccount_num", "account\u203fnum", "account_num\x00x", "account_num\ud800", "\ufb01rst.account_num",
             "l\u0131m\u0131t", "\u0130.limit"],
)  # fmt: skip
def test_a_name_that_resembles_a_parameter_is_refused(name):
    assert find_resembled(TRANSACTIONS, "account_num", name) in {"account_num", "limit"}


@pytest.mark.parametrize(
    "name",
    ["", "colour", "account", "num", "account_number", "limits", "date", "fromdate2", "page", "x-limit", "org", "코드",
     "org_name", "memo", "%", "%zz", "[]", "\ud800", "x" * 2000],
)  # fmt: skip
def test_a_name_that_resembles_no_parameter_passes(name):
    TRANSACTIONS({"org_code": "1", name: "2"})


@pytest.mark.parametrize("api", DATA, ids=lambda api: api.api_code)
def test_no_two_parameters_of_an_api_resemble_each_other(api):
    names = [field.name for field in api.request.path + api.request.query + api.request.body]
    for name in names:
        compile_name_check(set(names) - {name})({name: "1"})


def test_the_refusal_names_the_resembled_parameter():
    assert find_resembled(TRANSACTIONS, "FROM_DATE") == "from_date"


def test_more_names_than_any_request_has_are_refused():
    TRANSACTIONS(dict.fromkeys(map(str, range(64))))
    with pytest.raises(Refusal) as refusal:
        TRANSACTIONS(dict.fromkeys(map(str, range(65))))
    assert refusal.value.fault.name == "parameter_malformed"


def test_a_body_larger_than_any_of_the_standard_is_not_parsed():
    assert parse_body(b'{"a":"' + b"x" * (16 * 1024 - 8) + b'"}')["a"]
    with pytest.raises(Refusal) as refused:
        parse_body(b"[" * (16 * 1024 + 1))
    assert (refused.value.fault.name, refused.value.detail) == ("body_too_large", "16384바이트까지")


def test_a_name_longer_than_any_of_the_standard_is_refused():
    check = compile_name_check(["org_code"])
    check({"org_code": "", "x" * 2000: ""})
    with pytest.raises(Refusal) as refused:
        check({"org_code": "", "x" * 2001: ""})
    assert refused.value.fault.name == "parameter_malformed"
