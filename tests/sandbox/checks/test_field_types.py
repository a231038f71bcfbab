import pytest
from mydata_sandbox.checks.field_types import describe_type, get_type, is_value

from relay.domain.api import Field, Presence


def field(kind, length="", name="value", codes=()):
    return Field(name, kind, length, Presence.REQUIRED, "label", dict.fromkeys(codes, ""), "")


@pytest.mark.parametrize(
    ("kind", "length", "right", "wrong"),
    [
        ("A", "2", ["A", "ZZ"], ["", "a", "AAA", "A1", "Á"]),
        ("a", "2", ["a", "zz"], ["", "A", "aaa", "a1"]),
        ("AN", "3", ["A1", "000"], ["", "a1", "A-1", "0000"]),
        ("aN", "3", ["aA1"], ["", "a b", "a-b", "abcd", "가"]),
        ("aNS", "5", ["a b-!", "~"], ["", "가", "a\n", "123456"]),
        ("NS", "3", ["1-2", " "], ["", "a", "A"]),
        ("N", "3", ["0", "123", "-123"], ["", "-", "1234", "1.0", "١", "+1", "--1"]),
        ("F", "5,2", ["0", "123.45", "-1.5"], ["", ".", "1.", ".5", "1234", "1.234", "-", "1,5"]),
        ("F", "3,3", ["0.123", "1.5"], ["12.5"]),
        ("AH", "6", ["가나", "abc def"[:6]], ["", "가나다", "\ud800"]),
        ("Boolean", "", ["true", "false"], ["", "True", "1", "Y"]),
        ("DATE", "", ["20240229", "99991231", "00010101"], ["", "20230229", "2024022", "00000101", "2024-2-2"]),
        ("DTIME", "", ["20240229235959"], ["20240229", "20240229240000", "20240229235960"]),
        ("DTIME|DATE", "", ["20240229", "20240229000000"], ["202402", "2024022900"]),
        ("B64", "4", ["Zm9v", "Zg==", "_-+/"], ["", "=", "Z===", "Zm9vY", "가"]),
    ],
)
def test_values_have_the_characters_and_length_of_their_type(kind, length, right, wrong):
    checked = field(kind, length)
    assert [text for text in right if not is_value(checked, text)] == []
    assert [text for text in wrong if is_value(checked, text)] == []


def test_a_code_table_replaces_the_type():
    checked = field("a", "6", codes=("Bearer", "Mac"))
    assert is_value(checked, "Bearer")
    assert not is_value(checked, "bearer")
    assert describe_type(checked) == "one of Bearer, Mac"


def test_a_month_is_six_digits_with_a_valid_month():
    checked = field("N", "6", name="charge_month")
    assert get_type(checked) == describe_type(checked) == "YYYYMM"
    assert is_value(checked, "202612")
    assert not is_value(checked, "202613")
    assert is_value(field("N", "6", name="count"), "202613")


@pytest.mark.parametrize("name", ["api_uri", "next_page", "org_regno", "merchant_regno"])
def test_some_fields_allow_more_characters_than_their_type(name):
    assert is_value(field("aN", "20", name=name), "/v1/bank-1")
    assert describe_type(field("aN", "20", name=name)) == "aNS(20)"


def test_an_unknown_type_is_an_error():
    with pytest.raises(KeyError):
        is_value(field("Text", "5"), "x")
