import pytest

from relay.policy.mediation.errors import LayoutError, ValueFault
from relay.policy.mediation.telegram.notation import Item, parse_line
from relay.policy.mediation.telegram.plan import build_codec


def build(line, charset="EUC-KR", **values):
    return build_codec(Item(**parse_line(line), **values), charset)


@pytest.mark.parametrize(
    ("line", "text", "data"),
    [
        ("x an(6) pad nul", "AB", b"AB\0\0\0\0"),
        ("x an(2) pad nul", "AB", b"AB"),
        ("x ah(6) pad nul", "가", b"\xb0\xa1\0\0\0\0"),
        ("x an(3) pad nul", "", b"\0\0\0"),
    ],
)
def test_text_may_be_padded_with_nul(line, text, data):
    codec = build(line)
    assert codec.encode(text) == data
    assert list(codec.decode([data, b" " * len(data)])) == [text.encode(), b""]


def test_nul_within_a_text_is_an_error():
    with pytest.raises(ValueFault) as caught:
        build("x an(4) pad nul").decode([b"AB\0\0", b"A\0B\0"])
    assert caught.value.index == 1


@pytest.mark.parametrize(
    ("line", "codes", "column", "expected"),
    [
        ("x date", ("99999999",), [b"99999999", b"20260131", b"00000000"], [b"", b"20260131", b""]),
        ("x n(4)", ("9999", "0000"), [b"9999", b"0012", b"0000"], [b"", b"0012", b""]),
        ("x amount(5)", ("99999",), [b"99999", b"00012"], [b"", b"12"]),
        ("x an(4)", ("-", "N/A"), [b"-   ", b"N/A ", b"A   "], [b"", b"", b"A"]),
    ],
)
def test_values_may_stand_for_none(line, codes, column, expected):
    codec = build(line, blank=codes)
    assert list(codec.decode(column)) == expected
    assert (codec.kind, codec.max_bytes) == (build(line).kind, build(line).max_bytes)


@pytest.mark.parametrize(
    ("line", "values", "wrong"),
    [("x n(4) pad nul", {}, "is padded with NUL"), ("x packed(4)", {"blank": ("9999999",)}, "has values for none")],
)
def test_binary_fields_and_numbers_have_no_such_padding(line, values, wrong):
    with pytest.raises(LayoutError) as caught:
        build(line, **values)
    assert caught.value.wrong == wrong
