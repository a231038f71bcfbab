import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.authorization.proof import Doubt, Unproven
from relay.infra.certifiers.strict_der import DEPTH_MOST, NODES_MOST, OID_MOST, foreign, looked_over


def value(tag, contents):
    length = len(contents)
    if length < 128:
        return bytes([tag, length]) + contents
    told = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(told)]) + told + contents


def nested(depth):
    found = value(0x02, b"\x01")
    for _ in range(depth):
        found = value(0x30, found)
    return found


@pytest.mark.parametrize(
    "data",
    [value(0x02, b"\x01"), value(0x30, value(0x04, b"x" * 300) * 3), nested(DEPTH_MOST), value(0x30, b""), b"\x05\x00"],
    ids=["integer", "sequence", "deep", "empty", "null"],
)
def test_der_passes_unchanged(data):
    assert looked_over(data, "it") == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x05\x02\x01",
        b"\x30\x84\xff\xff\xff\xff\x00",
        b"\x30\xff" + b"\xff" * 127,
        b"\x30\x80\x02\x01\x01\x00\x00",
        b"\x30\x80" + b"\x04\x81\xfc" + b"x" * 252 + b"\x00\x00",
        b"\x30\x81\x03\x02\x01\x01",
        b"\x30\x82\x00\x03\x02\x01\x01",
        b"\x02\x01\x01\x00",
        b"\x30\x03\x02\x01\x01\x30\x00",
        b"\x30\x04\x02\x01\x01\x05",
        b"\x1f\x80\x01\x00",
        b"\x1f" + b"\xff" * 40,
        nested(DEPTH_MOST + 1),
        value(0x30, value(0x02, b"\x01") * (NODES_MOST + 1)),
        b"\x24\x80" * 500,
        value(0x30, value(0x06, b"\xff" * OID_MOST + b"\x01")),
    ],
    ids=[
        "nothing",
        "tag alone",
        "too short",
        "huge length",
        "length of 127 octets",
        "indefinite",
        "indefinite, as long as definite",
        "length in two octets",
        "length in three octets",
        "behind it",
        "two values",
        "rest inside",
        "long tag",
        "endless tag",
        "too deep",
        "too many",
        "nested indefinite",
        "endless object identifier",
    ],
)
def test_what_is_no_der_is_malformed(data):
    with pytest.raises(Unproven) as caught:
        looked_over(data, "password")
    assert (caught.value.doubt, caught.value.detail) == (Doubt.MALFORMED, "password")


@given(st.binary(max_size=200))
def test_any_bytes_are_der_or_malformed(data):
    try:
        outcome = looked_over(data, "it")
    except Unproven as unproven:
        outcome = unproven.doubt
    assert outcome in {data, Doubt.MALFORMED}


@pytest.mark.parametrize("wrong", [ValueError("secret"), KeyError("secret"), RecursionError(), MemoryError()])
def test_whatever_a_reader_raises_says_nothing_but_malformed(wrong):
    with pytest.raises(Unproven) as caught, foreign("it"):
        raise wrong
    assert (str(caught.value), caught.value.__cause__, caught.value.__suppress_context__) == (
        "malformed: it",
        None,
        True,
    )


def test_a_doubt_that_was_told_stays_what_it_is():
    with pytest.raises(Unproven) as caught, foreign("it"):
        raise Unproven(Doubt.CHAIN)
    assert caught.value.doubt is Doubt.CHAIN
