from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.authorization.nonce import from_base64url, parse_nonce, to_base64url


@given(st.binary(min_size=1, max_size=60))
def test_base64url_is_decoded_with_and_without_padding(value):
    assert from_base64url(to_base64url(value)) == value
    assert from_base64url(urlsafe_b64encode(value).decode()) == value


@given(st.text(max_size=24))
def test_every_decoded_text_is_the_only_spelling_of_its_value(text):
    try:
        value = from_base64url(text)
    except ValueError:
        return
    assert text.rstrip("=") == to_base64url(value)


@pytest.mark.parametrize(
    "text",
    ["", "=", "A", "AA=", "AA===", "AAA==", "AAAA=", "AB", "AAB", "AA AA", "AAAA\n", "+/+/", "가나다라", "A=AA"],
)
def test_text_that_is_not_base64url_is_refused(text):
    with pytest.raises(ValueError, match="base64"):
        from_base64url(text)


@pytest.mark.parametrize("spelled", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("padding", ["", "=="])
def test_a_nonce_is_decoded_from_either_alphabet(spelled, padding):
    value = b"\xfb\xef\xff" * 5 + b"\xf0"
    assert parse_nonce(spelled(value).decode().rstrip("=") + padding) == value


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_nonce_has_16_bytes(size):
    with pytest.raises(ValueError, match=r"16 bytes|base64"):
        parse_nonce(to_base64url(b"x" * size))


def test_mixed_alphabets_are_refused():
    with pytest.raises(ValueError, match="base64"):
        parse_nonce("+_" + "A" * 20)
