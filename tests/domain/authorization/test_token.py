"""The claims of an access token: every misfortune that must not become a token."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.authorization.token import ACCESS, MANAGE, REFRESH, Claims, claims_of
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


def refused(payload):
    with pytest.raises(Refusal) as caught:
        claims_of(payload)
    assert caught.value.fault.name == "token_malformed"
    return caught.value.detail


def told(**changes):
    return json.dumps(GOOD | changes, ensure_ascii=False).encode()


def test_a_good_payload_becomes_claims():
    assert claims_of(told()) == Claims(
        iss="RELAY00001",
        aud="OPERATOR01",
        exp=1_900_000_000,
        iat=1_800_000_000,
        jti="t-1",
        scopes=frozenset({"bank.list", "bank.deposit"}),
        org_code="PROVIDER01",
        client_id="client1",
    )


def test_claims_nobody_asked_for_are_no_harm():
    assert claims_of(told(cid="opaque", nbf="whatever")) == claims_of(told())


@pytest.mark.parametrize(
    ("use", "asked"),
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
def test_a_token_for_another_use_is_no_token(use, asked):
    with pytest.raises(Refusal) as caught:
        claims_of(told(use=use), asked)
    assert (caught.value.fault.name, caught.value.detail) == ("token_malformed", "use")


@pytest.mark.parametrize("use", [REFRESH, MANAGE])
def test_a_token_for_another_use_is_read_as_one(use):
    assert claims_of(told(use=use), use) == claims_of(told())
    with pytest.raises(Refusal):
        claims_of(told(), use)


@pytest.mark.parametrize("name", GOOD)
def test_a_token_without_one_of_its_claims_is_no_token(name):
    rest = {key: value for key, value in GOOD.items() if key != name}
    assert refused(json.dumps(rest).encode()) == name


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize("value", ["1900000000", 1.9e9, True, False, None, [1], {}])
def test_a_time_that_is_no_whole_number_is_no_time(name, value):
    assert refused(told(**{name: value})) == name


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", "1.9e9"])
def test_a_time_written_as_another_kind_of_number_is_no_time(value):
    refused(told().replace(b"1900000000", value.encode()))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", ["", 7, None, True, ["OPERATOR01"], {"a": "b"}])
def test_a_text_that_is_empty_or_of_another_type_is_refused(name, value):
    assert refused(told(**{name: value})) == name


@pytest.mark.parametrize("name", GOOD)
def test_a_claim_that_stands_twice_is_refused_even_with_the_same_value(name):
    doubled = told()[:-1] + b", " + json.dumps({name: GOOD[name]}).encode()[1:]
    refused(doubled)


def test_a_name_twice_deeper_down_is_refused_too():
    refused(told()[:-1] + b', "x": {"a": 1, "a": 2}}')


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
        b"[[" + told() + b"]]",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff\xfe\xfd",
        b'{"iss": "\xff"}',
        told() + b"x",
        told() + told(),
        b"{'iss': 'x'}",
        b'{"exp": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object_is_no_token(payload):
    refused(payload)


@given(st.binary(max_size=200))
def test_whatever_the_bytes_the_answer_is_claims_or_a_refusal(payload):
    with contextlib.suppress(Refusal):
        assert isinstance(claims_of(payload), Claims)


@settings(max_examples=30)  # the folder answers within a second
@given(st.dictionaries(st.sampled_from([*GOOD, "other"]), st.none() | st.booleans() | st.integers() | st.text()))
def test_claims_come_only_from_the_types_they_are_written_in(found):
    try:
        claims = claims_of(json.dumps(found).encode())
    except Refusal:
        return
    assert all(isinstance(found[name], str) and found[name] for name in TEXTS)
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
def test_scopes_are_what_stands_between_blanks(scope, scopes):
    assert claims_of(told(scope=scope)).scopes == scopes
