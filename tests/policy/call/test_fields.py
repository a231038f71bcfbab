"""The types of 첨부2."""

import calendar
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.api import Field, Presence
from relay.policy.call.fields import compile_field_check, describe_allowed, get_checked_type, to_text


def field(kind, length="", name="x", codes=()):
    return Field(name, kind, length, Presence.REQUIRED, "이름", dict.fromkeys(codes, "뜻"), "")


def fits(kind, length, text, *, strict=True, **more):
    return bool(compile_field_check(field(kind, length, **more), strict=strict)(text))


RIGHT = [
    ("N", "3", "0"), ("N", "3", "007"), ("N", "3", "-999"), ("N", "14", "20240131235959"),
    ("F", "18,3", "0"), ("F", "18,3", "-1.5"), ("F", "18,3", "123456789012345.678"), ("F", "7,5", "99.12345"),
    ("F", "3,3", "0.123"),
    ("AH", "6", "한글"), ("AH", "6", "abcdef"), ("AH", "7", "a한글"), ("AH", "15", "공백 있음"),
    ("A", "3", "KRW"), ("a", "4", "code"), ("AN", "4", "BA04"), ("aN", "10", "A1zzzz0000"),
    ("aNS", "20", "bank.list bank.loan"), ("aNS", "5", "1/w"), ("aNS", "9", "~!@#$%^&*"), ("NS", "9", "0100:0700"),
    ("NS", "19", "1234-56**-****-7890"),
    ("Boolean", "", "true"), ("Boolean", "", "false"),
    ("DATE", "8", "20240229"), ("DATE", "8", "20000229"), ("DATE", "8", "99991231"),
    ("DTIME", "14", "20240229235959"), ("DTIME", "14", "20240101000000"),
    ("DTIME|DATE", "14", "20240229235959"), ("DTIME|DATE", "14", "20240229"),
    ("B64", "100", "YWJj"), ("B64", "100", "YWI="), ("B64", "100", "YQ=="), ("B64", "4", "-_+/"),
]  # fmt: skip

WRONG = [
    ("N", "3", "1000"), ("N", "3", "+1"), ("N", "3", "1.0"), ("N", "3", "--1"), ("N", "3", "-"), ("N", "3", " 1"),
    ("N", "3", "1\n"), ("N", "3", "١٢"), ("N", "3", "３"), ("N", "3", "1e2"), ("N", "3", "²"),
    ("F", "18,3", "1.2345"), ("F", "18,3", "1."), ("F", "18,3", ".5"), ("F", "18,3", "1e3"), ("F", "18,3", "1,5"),
    ("F", "18,3", "1234567890123456"), ("F", "18,3", "nan"), ("F", "3,3", "12.5"),
    ("AH", "5", "한글"), ("AH", "6", "abcdefg"), ("AH", "6", "\ud800"),
    ("A", "3", "krw"), ("A", "3", "KRWX"), ("a", "4", "Code"), ("AN", "4", "ba04"), ("aN", "10", "A1-zzzz"),
    ("aN", "10", "한글"), ("aN", "3", "abcd"), ("aN", "10", "ab\n"), ("aN", "10", "Å"),
    ("aNS", "20", "한글"), ("aNS", "20", "a\tb"), ("aNS", "3", "abcd"), ("NS", "9", "a"), ("NS", "9", "0100:07000"),
    ("Boolean", "", "True"), ("Boolean", "", "1"), ("Boolean", "", "Y"),
    ("DATE", "8", "20230229"), ("DATE", "8", "19000229"), ("DATE", "8", "20240431"), ("DATE", "8", "20241301"),
    ("DATE", "8", "20240100"), ("DATE", "8", "00000101"), ("DATE", "8", "2024-1-1"), ("DATE", "8", "2024013"),
    ("DATE", "8", "２０２４０１０１"), ("DATE", "8", "20240101000000"),
    ("DTIME", "14", "20240101240000"), ("DTIME", "14", "20240101006000"), ("DTIME", "14", "20240101000060"),
    ("DTIME", "14", "20240101"), ("DTIME|DATE", "14", "2024010100"), ("DTIME|DATE", "14", "20240230"),
    ("B64", "100", "YQ==="), ("B64", "100", "Y=Q"), ("B64", "100", "YQ= "), ("B64", "3", "YWI="), ("B64", "100", "한"),
]  # fmt: skip

LENIENT_RIGHT = [
    ("N", "3", "abc"), ("aN", "10", "A1-zz 한글"), ("A", "3", "krw"), ("B64", "3", "@@@"), ("F", "5,3", "about 1"),
]  # fmt: skip

LENIENT_WRONG = [
    ("N", "3", "12345"), ("aN", "3", "abcd"), ("F", "5,3", "about 12"), ("AH", "5", "한글"), ("DATE", "8", "20230229"),
    ("DTIME", "14", "20240101240000"), ("Boolean", "", "yes"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "length", "text"), RIGHT)
def test_a_value_of_the_type_fits(kind, length, text):
    assert fits(kind, length, text)
    assert fits(kind, length, text, strict=False)


@pytest.mark.parametrize(("kind", "length", "text"), WRONG)
def test_a_value_of_another_type_does_not_fit(kind, length, text):
    assert not fits(kind, length, text)


@pytest.mark.parametrize(("kind", "length", "text"), LENIENT_RIGHT)
def test_lenient_checks_ignore_characters(kind, length, text):
    assert not fits(kind, length, text)
    assert fits(kind, length, text, strict=False)


@pytest.mark.parametrize(("kind", "length", "text"), LENIENT_WRONG)
def test_lenient_checks_include_lengths_and_dates(kind, length, text):
    assert not fits(kind, length, text, strict=False)


@pytest.mark.parametrize("kind", ["N", "AH", "A", "a", "AN", "aN", "aNS", "NS", "Boolean", "DATE", "DTIME", "B64"])
def test_an_empty_text_fits_no_type(kind):
    assert not fits(kind, "8", "")
    assert not fits(kind, "8", "", strict=False)


@pytest.mark.parametrize(
    ("text", "right"), [("202401", True), ("202412", True), ("202400", False), ("202413", False), ("20241", False)]
)
@pytest.mark.parametrize("name", ["from_month", "to_month", "charge_month", "trans_applied_month", "trans_month"])
def test_months_have_twelve_values(name, text, right):
    assert fits("N", "6", text, name=name) is right


def test_six_digits_in_other_fields_are_not_a_month():
    assert fits("N", "6", "999999", name="paid_in_cnt")


def test_a_code_table_replaces_the_type():
    assert fits("a", "6", "Bearer", codes=["Bearer"])
    assert not fits("aN", "2", "03", codes=["01", "02"])
    assert fits("aN", "2", "03", codes=["01", "02"], strict=False)


@pytest.mark.parametrize(
    ("name", "text"),
    [("api_uri", "/accounts/deposit/basic"), ("next_page", "MQ_-.~"), ("merchant_regno", "123-45-67890")],
)
def test_widened_fields_accept_the_type_ans(name, text):
    assert fits("aN", "50", text, name=name)
    assert get_checked_type(field("aN", "50", name=name)) == "aNS"


def test_an_unknown_type_raises_key_error():
    with pytest.raises(KeyError):
        compile_field_check(field("XX", "3"))


@settings(max_examples=30)
@given(st.dates())
def test_every_day_of_the_calendar_is_a_date(day):
    assert fits("DATE", "8", f"{day.year:04}{day:%m%d}")


@settings(max_examples=30)
@given(st.integers(1, 9999), st.integers(0, 99), st.integers(0, 99))
def test_no_other_day_is_a_date(year, month, day):
    real = 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
    assert fits("DATE", "8", f"{year:04}{month:02}{day:02}") is real


@settings(max_examples=30)
@given(st.text(max_size=12), st.integers(1, 20))
def test_ah_counts_bytes(text, length):
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        size = length + 1
    assert fits("AH", str(length), text) is (0 < size <= length)


@settings(max_examples=30)
@given(st.text(max_size=10))
def test_letters_and_digits_are_ascii(text):
    assert fits("aN", "10", text) is (text.isascii() and text.isalnum())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("그대로", "그대로"), ("", ""),
        (12, "12"), (-3, "-3"), (0, "0"), (True, "true"), (False, "false"), (0.5, "0.5"),
        (1e16, "10000000000000000"), (1e-7, "0.0000001"), (None, ""), ([], ""), ({}, ""), (["1"], ""),
        (float("nan"), ""), (float("inf"), ""),
    ],
)  # fmt: skip
def test_a_json_value_has_its_text(value, text):
    assert to_text(value) == text


@settings(max_examples=30)
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e14, max_value=1e14))
def test_the_text_of_a_number_is_the_number(value):
    assert float(to_text(value)) == value
    assert "e" not in to_text(value)


@pytest.mark.parametrize(
    ("of_field", "description"),
    [
        (field("DATE", "8"), "DATE, YYYYMMDD"),
        (field("DTIME", "14"), "DTIME, YYYYMMDDhhmmss"),
        (field("N", "6", name="from_month"), "YYYYMM"),
        (field("aN", "2", codes=["01", "02"]), "01, 02"),
        (field("F", "18,3"), "F(18,3)"),
        (field("Boolean"), "Boolean"),
        (field("AH", "116"), "AH(116)"),
    ],
)
def test_allowed_values_are_described_as_in_the_standard(of_field, description):
    assert describe_allowed(of_field) == description


def test_now_is_a_dtime():
    assert fits("DTIME", "14", datetime.now(UTC).strftime("%Y%m%d%H%M%S"))
