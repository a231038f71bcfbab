"""Parsing of token claims: every malformed payload is refused."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.authorization.token import ACCESS, MANAGE, REFRESH, Claims, parse_claims
from relay.domain.fault import Refusal

GOOD = {
    "iss": "RELAY00001",
    "aud": "OPERATOR01",
    "exp": 1_900_000_000,
    "iat": 1_800_000_000,
    "jti": "t-1",
    "scope": "bank.list bank.deposit",
    "org_code": "PROVIDER01",
    "client_id": "client1",
}
TEXTS = ("iss", "aud", "jti", "scope", "org_code", "client_id")


def refused_claim(payload):
    with pytest.raises(Refusal) as caught:
        parse_claims(payload)
    assert caught.value.fault.name == "token_malformed"
    return caught.value.detail


def payload_with(**changes):
    return json.dumps(GOOD | changes, ensure_ascii=False).encode()


def test_a_good_payload_becomes_claims():
    assert parse_claims(payload_with()) == Claims(
        iss="RELAY00001",
        aud="OPERATOR01",
        exp=1_900_000_000,
        iat=1_800_000_000,
        jti="t-1",
        scopes=frozenset({"bank.list", "bank.deposit"}),
        org_code="PROVIDER01",
        client_id="client1",
    )


def test_unknown_claims_are_ignored():
    assert parse_claims(payload_with(cid="opaque", nbf="whatever")) == parse_claims(payload_with())


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("refresh", ACCESS),
        ("access", ACCESS),
        (None, ACCESS),
        (ACCESS, REFRESH),
        ("other", REFRESH),
        ("manage", ACCESS),
        ("manage", REFRESH),
        (ACCESS, MANAGE),
        ("refresh", MANAGE),
    ],
)
def test_a_token_for_another_use_is_refused(use, expected):
    with pytest.raises(Refusal) as caught:
        parse_claims(payload_with(use=use), expected)
    assert (caught.value.fault.name, caught.value.detail) == ("token_malformed", "use")


@pytest.mark.parametrize("use", [REFRESH, MANAGE])
def test_a_token_is_parsed_for_its_own_use(use):
    assert parse_claims(payload_with(use=use), use) == parse_claims(payload_with())
    with pytest.raises(Refusal):
        parse_claims(payload_with(), use)


@pytest.mark.parametrize("name", GOOD)
def test_a_token_with_a_missing_claim_is_refused(name):
    others = {key: value for key, value in GOOD.items() if key != name}
    assert refused_claim(json.dumps(others).encode()) == name


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize("value", ["1900000000", 1.9e9, True, False, None, [1], {}])
def test_a_time_that_is_not_an_integer_is_refused(name, value):
    assert refused_claim(payload_with(**{name: value})) == name


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", "1.9e9"])
def test_a_time_in_another_number_format_is_refused(value):
    refused_claim(payload_with().replace(b"1900000000", value.encode()))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", ["", 7, None, True, ["OPERATOR01"], {"a": "b"}])
def test_an_empty_or_non_string_claim_is_refused(name, value):
    assert refused_claim(payload_with(**{name: value})) == name


@pytest.mark.parametrize("name", GOOD)
def test_a_repeated_claim_is_refused_even_with_the_same_value(name):
    doubled = payload_with()[:-1] + b", " + json.dumps({name: GOOD[name]}).encode()[1:]
    refused_claim(doubled)


def test_a_repeated_nested_name_is_refused():
    refused_claim(payload_with()[:-1] + b', "x": {"a": 1, "a": 2}}')


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"null",
        b"true",
        b"7",
        b'"text"',
        b"[]",
        b"[[" + payload_with() + b"]]",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff\xfe\xfd",
        b'{"iss": "\xff"}',
        payload_with() + b"x",
        payload_with() + payload_with(),
        b"{'iss': 'x'}",
        b'{"exp": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_payload_that_is_not_a_json_object_is_refused(payload):
    refused_claim(payload)


@given(st.binary(max_size=200))
def test_any_bytes_give_claims_or_a_refusal(payload):
    with contextlib.suppress(Refusal):
        assert isinstance(parse_claims(payload), Claims)


@settings(max_examples=30)  # keeps the test below a second
@given(st.dictionaries(st.sampled_from([*GOOD, "other"]), st.none() | st.booleans() | st.integers() | st.text()))
def test_parsed_claims_have_the_types_of_the_payload(payload):
    try:
        claims = parse_claims(json.dumps(payload).encode())
    except Refusal:
        return
    assert all(isinstance(payload[name], str) and payload[name] for name in TEXTS)
    assert type(claims.exp) is int
    assert type(claims.iat) is int


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("bank.list", {"bank.list"}),
        ("bank.list  bank.list", {"bank.list"}),
        (" bank.list bank.irp ", {"bank.list", "bank.irp"}),
        (" ", set()),
    ],
)
def test_scopes_are_separated_by_blanks(scope, scopes):
    assert parse_claims(payload_with(scope=scope)).scopes == scopes
