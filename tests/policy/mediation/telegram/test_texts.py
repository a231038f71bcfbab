import pytest

from relay.policy.mediation.errors import ValueFault
from relay.policy.mediation.telegram.notation import Item, parse_line
from relay.policy.mediation.telegram.plan import build_codec


def codec(line, charset="EUC-KR"):
    return build_codec(Item.model_validate(parse_line(f"name {line}")), charset)


DECODED = [
    ("an(5)", b"AB1  ", "AB1"),
    ("an(5)", b" A B ", " A B"),
    ("an(5) right", b"  AB1", "AB1"),
    ("an(5) right pad zero", b"00AB1", "AB1"),
    ("an(5)", b"     ", ""),
    ("n(5)", b"00012", "00012"),
    ("n(5)", b"     ", ""),
    ("n(5)", b"00000", "00000"),
    ("n(5) zero blank", b"00000", ""),
    ("n(5) pad blank", b"   12", "12"),
    ("ah(10)", "한글 은".encode("euc-kr").ljust(10), "한글 은"),
    ("ah(10) right", "한글".encode("euc-kr").rjust(10), "한글"),
    ("ah(10)", "한글\u3000\u3000".encode("euc-kr").ljust(10), "한글"),
    ("ah(10)", b" " * 10, ""),
    ("date", b"20240229", "20240229"),
    ("date", b"00000000", ""),
    ("date", b"        ", ""),
    ("date(6)", b"690101", "20690101"),
    ("date(6)", b"700101", "19700101"),
    ("date(6)", b"000000", ""),
    ("time", b"235959", "235959"),
    ("time", b"000000", "000000"),
    ("time", b"      ", ""),
    ("time(4)", b"2359", "235900"),
    ("datetime", b"20260131235959", "20260131235959"),
    ("datetime", b"00000000000000", ""),
]


@pytest.mark.parametrize(("line", "raw", "text"), DECODED)
def test_a_value_is_decoded_without_padding(line, raw, text):
    assert list(codec(line).decode([raw])) == [text.encode()]
    assert list(codec(line).decode([raw] * 3)) == [text.encode()] * 3


@pytest.mark.parametrize(
    ("line", "raw", "position", "expected"),
    [
        ("an(3)", b"A\x00B", 0, "printable ASCII characters"),
        ("an(3)", b"A\xb0B", 0, "printable ASCII characters"),
        ("n(3)", b"1 2", 0, "3 digits"),
        ("n(3)", b" 12", 0, "3 digits"),
        ("n(3)", b"-12", 0, "3 digits"),
        ("n(3)", "１２".encode("euc-kr")[:3], 0, "3 digits"),
        ("ah(3)", b"\xb0\xa1\xb0", 2, "a whole character of EUC-KR"),
        ("ah(3)", b"\xb0  ", 0, "a whole character of EUC-KR"),
        ("ah(4)", b"\xff\xffAB", 0, "a character of EUC-KR"),
        ("ah(4)", b"A\tB ", 0, "text without control characters"),
        ("date", b"20230229", 0, "a date, YYYYMMDD"),
        ("date", b"2023022 ", 0, "a date, YYYYMMDD"),
        ("date(6)", b"230229", 0, "a date, YYMMDD"),
        ("time", b"240000", 0, "a time, HHMMSS"),
        ("time", b"236000", 0, "a time, HHMMSS"),
        ("time", b"235960", 0, "a time, HHMMSS"),
        ("time(4)", b"2360", 0, "a time, HHMM"),
        ("datetime", b"20230229000000", 0, "a date and time, YYYYMMDDHHMMSS"),
        ("datetime", b"20230228250000", 0, "a date and time, YYYYMMDDHHMMSS"),
    ],
)
def test_a_wrong_value_is_named_by_its_row(line, raw, position, expected):
    good = codec(line).encode("")
    with pytest.raises(ValueFault) as caught:
        codec(line).decode([good, good, raw, good])
    assert (caught.value.index, caught.value.position, caught.value.expected) == (2, position, expected)


def test_half_a_character_of_utf_8_is_named():
    with pytest.raises(ValueFault, match="a whole character of UTF-8"):
        codec("ah(5)", "UTF-8").decode(["한글".encode()[:5]])


@pytest.mark.parametrize(
    ("line", "text", "raw"),
    [
        ("an(5)", "AB", b"AB   "),
        ("an(5) right", "AB", b"   AB"),
        ("an(5) right pad zero", "AB", b"000AB"),
        ("n(5)", "12", b"00012"),
        ("n(5)", "", b"     "),
        ("n(5) zero blank", "", b"00000"),
        ("n(5) pad blank", "12", b"   12"),
        ("ah(5)", "한글", "한글".encode("euc-kr") + b" "),
        ("ah(5)", "한글은", "한글".encode("euc-kr") + b" "),
        ("ah(5)", "A한글", "A한글".encode("euc-kr")),
        ("ah(5)", "AB한글", "AB한".encode("euc-kr") + b" "),
        ("date", "20260131", b"20260131"),
        ("date(6)", "20260131", b"260131"),
        ("date", "", b"        "),
        ("time(4)", "101112", b"1011"),
        ("datetime", "", b" " * 14),
        ("filler(3)", "", b"   "),
    ],
)
def test_a_value_is_encoded_with_padding(line, text, raw):
    item = Item.model_validate(parse_line(line if line.startswith("filler") else f"name {line}"))
    assert build_codec(item, "EUC-KR").encode(text) == raw


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        ("an(3)", "ABCD", "at most 3"),
        ("an(3)", "한", "ASCII"),
        ("an(3)", "A\n", "ASCII"),
        ("n(3)", "1234", "at most 3 digits"),
        ("n(3)", "-1", "at most 3 digits"),
        ("n(3)", "１２", "at most 3 digits"),
        ("ah(9)", "힣", "characters of EUC-KR"),
        ("ah(9)", "😀", "characters of EUC-KR"),
        ("ah(9)", "A\nB", "without control characters"),
        ("date", "2026013", "a date, YYYYMMDD"),
        ("date", "20230229", "a date, YYYYMMDD"),
        ("date(6)", "20700101", "from 1970 to 2069"),
        ("time", "256060", "a time, HHMMSS"),
        ("datetime", "20260131", "a date and time"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(line, text, expected):
    with pytest.raises(ValueFault, match=expected):
        codec(line).encode(text)


def test_a_syllable_beyond_euc_kr_is_one_of_cp949():
    assert codec("ah(4)", "CP949").decode(["힣".encode("cp949").ljust(4)]) == ["힣".encode()]
    assert codec("ah(2)", "CP949").encode("힣") == "힣".encode("cp949")
