from relay.policy.mediation.errors import ValueFault
from relay.policy.mediation.telegram.codec import FillerCodec, Kind, raise_first, to_ascii
from relay.policy.mediation.telegram.notation import Item


def test_a_filler_has_no_value():
    codec = FillerCodec(Item(type="filler", length=3))
    assert (codec.kind, codec.decode([b"\xff\x00?", b"   "]), codec.encode("x")) == (Kind.FILLER, [b"", b""], b"   ")


def test_the_first_wrong_value_is_named():
    raise_first([b"1", b"2"], bytes.isdigit, "digits")
    try:
        raise_first([b"1", b"x", b"y"], bytes.isdigit, "digits")
    except ValueFault as fault:
        assert (fault.index, fault.expected) == (1, "digits")


def test_ascii_is_printable():
    assert to_ascii("A b", "text") == b"A b"
    for text in ("한", "\x00", "a\n"):
        try:
            to_ascii(text, "text")
        except ValueFault as fault:
            assert fault.expected == "text"
        else:
            raise AssertionError(text)
