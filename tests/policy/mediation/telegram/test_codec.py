import pytest

from relay.policy.mediation.errors import ValueFault
from relay.policy.mediation.telegram.codec import FillerCodec, Kind, raise_first, to_ascii
from relay.policy.mediation.telegram.notation import Item


def test_a_filler_has_no_value():
    codec = FillerCodec(Item(type="filler", length=3))
    assert (codec.kind, codec.decode([b"\xff\x00?", b"   "]), codec.encode("x")) == (Kind.FILLER, [b"", b""], b"   ")


def test_the_first_wrong_value_is_named():
    raise_first([b"1", b"2"], bytes.isdigit, "digits")
    with pytest.raises(ValueFault) as caught:
        raise_first([b"1", b"x", b"y"], bytes.isdigit, "digits")
    assert (caught.value.index, caught.value.expected) == (1, "digits")


def test_ascii_is_printable():
    assert to_ascii("A b", "text") == b"A b"


@pytest.mark.parametrize("text", ["한", "\x00", "a\n"])
def test_other_text_is_not_ascii(text):
    with pytest.raises(ValueFault, match="text"):
        to_ascii(text, "text")
