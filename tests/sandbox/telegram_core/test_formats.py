"""Formats write bytes as the specification of the bank says."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from mydata_sandbox.telegram_core.formats import binary, day, digits, moment, packed, signed, text, yes_no, zoned


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        (text(4), None, b"    "),
        (text(5), "가나다", "가나".encode("euc-kr") + b" "),
        (yes_no(), True, b"Y"),
        (yes_no(), False, b"N"),
        (yes_no(), None, b" "),
        (digits(6, 2), Decimal("12.3"), b"001230"),
        (digits(3), None, b"000"),
        (signed(6, 2), Decimal("-1.25"), b"-00125"),
        (signed(4), 7, b"+007"),
        (zoned(4), 120, b"012{"),
        (zoned(4), -123, b"012L"),
        (packed(3, 2), Decimal("123.45"), b"\x12\x34\x5c"),
        (packed(3), -12345, b"\x12\x34\x5d"),
        (binary(2), 258, b"\x01\x02"),
        (day(), date(2026, 11, 30), b"20261130"),
        (day(), None, b"        "),
        (moment(), datetime(2026, 11, 30, 9, 8, 7), b"20261130090807"),  # noqa: DTZ001 - local time of the bank
        (moment(), None, b" " * 14),
    ],
)
def test_values_have_the_bytes_of_the_specification(form, value, expected):
    assert form.write(value) == expected
    assert len(expected) == form.length


@pytest.mark.parametrize(("form", "value"), [(digits(3), 1000), (digits(3), Decimal("1.5")), (packed(2), 12345)])
def test_numbers_that_do_not_fit_are_errors(form, value):
    with pytest.raises(ValueError, match="does not fit"):
        form.write(value)


def test_texts_are_read_without_padding():
    assert text(8).read("가나".encode("euc-kr") + b"    ") == "가나"
