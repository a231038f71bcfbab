import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.authorization.signed_consent import Defect, NotVerified
from relay.infra.certifiers.strict_der import MAX_DEPTH, MAX_NODES, MAX_OID_BYTES, check_der, reject_malformed


def encode(tag, contents):
    length = len(contents)
    if length < 128:
        return bytes([tag, length]) + contents
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + contents


def nested(depth):
    data = encode(0x02, b"\x01")
    for _ in range(depth):
        data = encode(0x30, data)
    return data


@pytest.mark.parametrize(
    "data",
    [
        encode(0x02, b"\x01"),
        encode(0x30, encode(0x04, b"x" * 300) * 3),
        nested(MAX_DEPTH),
        encode(0x30, b""),
        b"\x05\x00",
    ],
    ids=["integer", "sequence", "deep", "empty", "null"],
)
def test_der_passes_unchanged(data):
    assert check_der(data, "field") == data


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
        nested(MAX_DEPTH + 1),
        encode(0x30, encode(0x02, b"\x01") * (MAX_NODES + 1)),
        b"\x24\x80" * 500,
        encode(0x30, encode(0x06, b"\xff" * MAX_OID_BYTES + b"\x01")),
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
        "trailing byte",
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
def test_anything_but_der_is_malformed(data):
    with pytest.raises(NotVerified) as caught:
        check_der(data, "password")
    assert (caught.value.reason, caught.value.detail) == (Defect.MALFORMED, "password")


@given(st.binary(max_size=200))
def test_random_bytes_are_der_or_malformed(data):
    try:
        outcome = check_der(data, "field")
    except NotVerified as unproven:
        outcome = unproven.reason
    assert outcome in {data, Defect.MALFORMED}


@pytest.mark.parametrize("error", [ValueError("secret"), KeyError("secret"), RecursionError(), MemoryError()])
def test_every_parser_error_becomes_malformed(error):
    with pytest.raises(NotVerified) as caught, reject_malformed("field"):
        raise error
    assert (str(caught.value), caught.value.__cause__, caught.value.__suppress_context__) == (
        "malformed: field",
        None,
        True,
    )


def test_a_doubt_passes_unchanged():
    with pytest.raises(NotVerified) as caught, reject_malformed("field"):
        raise NotVerified(Defect.CHAIN)
    assert caught.value.reason is Defect.CHAIN
