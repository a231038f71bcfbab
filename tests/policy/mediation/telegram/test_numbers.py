import pytest

from relay.policy.mediation.errors import ValueFault
from relay.policy.mediation.telegram.notation import Item, parse_line
from relay.policy.mediation.telegram.numbers import parse_number
from relay.policy.mediation.telegram.plan import build_codec


def codec(line):
    return build_codec(Item.model_validate(parse_line(f"name {line}")), "EUC-KR")


@pytest.mark.parametrize(
    ("line", "raw", "text"),
    [
        ("amount(5)", b"00000", "0"),
        ("amount(5)", b"00120", "120"),
        ("amount(5)", b"     ", ""),
        ("amount(5)", b"  120", "120"),
        ("amount(5) zero blank", b"00000", ""),
        ("amount(5,2)", b"00000", "0"),
        ("amount(5,2)", b"00120", "1.2"),
        ("amount(5,2)", b"00005", "0.05"),
        ("amount(5,2)", b"12300", "123"),
        ("amount(5,2)", b"     ", ""),
        ("amount(2,2)", b"00", "0"),
        ("amount(2,2)", b"05", "0.05"),
        ("amount(2,2)", b"  ", ""),
        ("amount(3,2) sign leading", b"-00", "0"),
        ("amount(3,2) sign trailing", b"25-", "-0.25"),
        ("zoned(2,2)", b"0{", "0"),
        ("amount(6,2) sign leading", b"-00120", "-1.2"),
        ("amount(6,2) sign leading", b"+00000", "0"),
        ("amount(6,2) sign leading", b"-00000", "0"),
        ("amount(6,2) sign leading", b" 12300", "123"),
        ("amount(6,2) sign leading", b"      ", ""),
        ("amount(6) sign trailing", b"00012-", "-12"),
        ("amount(6) sign trailing", b"00012+", "12"),
        ("amount(6) sign trailing", b"000120", "12"),
        ("decimal(9,5)", b"003.50000", "3.5"),
        ("decimal(9,5)", b"    -0.25", "-0.25"),
        ("decimal(9,5)", b"000000012", "12"),
        ("decimal(9,5)", b"-.5      ", "-0.5"),
        ("decimal(9,5)", b"    0.000", "0"),
        ("decimal(9,5)", b"         ", ""),
        ("packed(3)", b"\x00\x12\x3c", "123"),
        ("packed(3)", b"\x00\x12\x3d", "-123"),
        ("packed(3)", b"\x00\x12\x3f", "123"),
        ("packed(3,2)", b"\x00\x12\x3d", "-1.23"),
        ("packed(3,2)", b"\x12\x30\x0c", "123"),
        ("packed(3)", b"\x00\x00\x0d", "0"),
        ("packed(3) zero blank", b"\x00\x00\x0c", ""),
        ("packed(2) unsigned", b"\x12\x3f", "123"),
        ("zoned(4)", b"012C", "123"),
        ("zoned(4)", b"012L", "-123"),
        ("zoned(4)", b"0123", "123"),
        ("zoned(4)", b"012{", "120"),
        ("zoned(4)", b"012}", "-120"),
        ("zoned(4)", b"012s", "-123"),
        ("zoned(4,1)", b"012L", "-12.3"),
        ("zoned(4)", b"    ", ""),
        ("binary(2)", b"\x00\xff", "255"),
        ("binary(2)", b"\xff\xff", "-1"),
        ("binary(2) unsigned", b"\xff\xff", "65535"),
        ("binary(2) little", b"\x01\x00", "1"),
        ("binary(2,1)", b"\x00\x7b", "12.3"),
    ],
)
def test_a_number_is_decoded_to_its_shortest_form(line, raw, text):
    assert list(codec(line).decode([raw])) == [text.encode()]
    assert list(codec(line).decode([raw, raw])) == [text.encode()] * 2


def test_a_column_has_values_of_every_form():
    amounts = codec("amount(7,2) sign leading").decode([b"+000000", b"-000150", b"       ", b"+012300", b"+000001"])
    assert list(amounts) == [b"0", b"-1.5", b"", b"123", b"0.01"]


@pytest.mark.parametrize(
    ("line", "raw", "position", "expected"),
    [
        ("amount(5)", b"00-12", 0, "5 digits"),
        ("amount(5,2)", b"12.00", 0, "5 digits"),
        ("amount(6) sign leading", b"x00012", 0, "5 digits with a leading sign"),
        ("amount(6) sign trailing", b"00012x", 5, "5 digits with a trailing sign"),
        ("amount(6) sign leading", b"-00-12", 0, "5 digits with a leading sign"),
        ("decimal(9,2)", b"1.2.3    ", 0, "a number with a decimal point"),
        ("decimal(9,2)", b"        -", 0, "a number with a decimal point"),
        ("decimal(9,2)", b"    1.234", 0, "at most 2 decimals"),
        ("decimal(9,2)", b"001234567", 0, "at most 6 digits before the point"),
        ("packed(3)", b"\x00\x1a\x3c", 1, "a packed decimal of 5 digits"),
        ("packed(3)", b"\x00\x12\x34", 2, "a packed decimal of 5 digits with the sign C, D or F"),
        ("packed(2) unsigned", b"\x12\x3d", 1, "a packed decimal of 3 digits with the sign C or F"),
        ("zoned(4)", b"0?2C", 0, "a zoned decimal of 4 digits"),
        ("zoned(4)", b"012Z", 0, "a zoned decimal of 4 digits"),
    ],
)
def test_a_wrong_number_is_named_by_its_row_and_byte(line, raw, position, expected):
    good = codec(line).encode("1")
    with pytest.raises(ValueFault) as caught:
        codec(line).decode([good, raw, good])
    assert (caught.value.index, caught.value.position, caught.value.expected) == (1, position, expected)


@pytest.mark.parametrize(
    ("line", "text", "raw"),
    [
        ("amount(5)", "120", b"00120"),
        ("amount(5,2)", "1.2", b"00120"),
        ("amount(5,2)", "1.200", b"00120"),
        ("amount(6,2) sign leading", "-1.2", b"-00120"),
        ("amount(6,2) sign trailing", "1.2", b"00120+"),
        ("amount(5)", "", b"     "),
        ("decimal(9,2)", "-3.5", b"-00003.50"),
        ("decimal(9,2) pad blank", "-3.5", b"    -3.50"),
        ("packed(3)", "-123", b"\x00\x12\x3d"),
        ("packed(3)", "", b"\x00\x00\x0c"),
        ("packed(2) unsigned", "123", b"\x12\x3f"),
        ("zoned(4)", "-123", b"012L"),
        ("zoned(4)", "0", b"000{"),
        ("binary(2)", "-1", b"\xff\xff"),
        ("binary(2) little", "1", b"\x01\x00"),
    ],
)
def test_a_number_is_encoded(line, text, raw):
    assert codec(line).encode(text) == raw


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("amount(3)", "1000"),
        ("amount(3)", "-1"),
        ("amount(3)", "1.5"),
        ("amount(3)", "one"),
        ("amount(3)", "１"),
        ("amount(3) sign leading", "100"),
        ("decimal(4,2)", "100"),
        ("packed(2)", "1000"),
        ("packed(2) unsigned", "-1"),
        ("zoned(2)", "100"),
        ("binary(1)", "128"),
        ("binary(1) unsigned", "-1"),
        ("binary(1) unsigned", "256"),
    ],
)
def test_a_number_that_does_not_fit_is_refused(line, text):
    with pytest.raises(ValueFault):
        codec(line).encode(text)


def test_a_number_without_value_has_no_sign():
    assert parse_number("-0.00", 3, 2) == ("", "000")
