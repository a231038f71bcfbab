from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.policy.mediation.errors import ValueFault
from relay.policy.mediation.json_api.values import RawNumber
from relay.policy.mediation.telegram.codec import Kind


@pytest.mark.parametrize(
    ("line", "column", "values"),
    [
        ("x an(5)", ["A1 ", None, "", True], [b"A1", b"", b"", b"true"]),
        ("x n(5)", ["00012", "7", None, " "], [b"00012", b"7", b"", b""]),
        ("x ah(9)", [" 한글\n글 ", "\t", None, "😀"], ["한글 글".encode(), b"", b"", "😀".encode()]),
        ("x decimal(5,2)", ["1.50", "-0.0", "1e2", None, " 7 ", "0012"], [b"1.5", b"0", b"100", b"", b"7", b"12"]),
        ("x decimal", ["1" * 40, "0.1"], [b"1" * 40, b"0.1"]),
        ("x decimal", ["0e-999999999", "-0e9999999", "0.0"], [b"0", b"0", b"0"]),
        ("x decimal(9,2) commas", ["1,234.50", "-1,234,567", "12", None], [b"1234.5", b"-1234567", b"12", b""]),
        ("x boolean", [True, False, None, "true"], [b"true", b"false", b"", b"true"]),
        ("x date YYYY-MM-DD", ["2026-01-31", None, "0000-00-00"], [b"20260131", b"", b""]),
        ("x month YYYY-MM", ["2026-12", ""], [b"202612", b""]),
        ("x datetime epoch_s", ["0", None], [b"19700101090000", b""]),
        ("x time hh:mm", ["00:00"], [b"000000"]),
        ("x date", [], []),
    ],
)
def test_values_are_decoded(codec_of, line, column, values):
    codec = codec_of(line)
    assert codec.decode(column) == values
    assert all(len(value) <= codec.field.max_bytes for value in values)


@pytest.mark.parametrize(
    ("line", "column", "index", "expected"),
    [
        ("x an(3)", ["a", "한"], 1, "printable ASCII characters"),
        ("x an(3)", ["a", "abcd"], 1, "at most 3 characters"),
        ("x an(3)", ["a", {}], 1, "printable ASCII characters"),
        ("x n(3)", ["1", "-1"], 1, "at most 3 digits"),
        ("x n(3)", ["1", "１"], 1, "at most 3 digits"),
        ("x n", ["1", []], 1, "digits"),
        ("x ah(3)", ["a", "\ud800"], 1, "text of whole characters"),
        ("x ah(3)", ["a", "\x00"], 1, "text without control characters"),
        ("x ah(3)", ["a", "가나다라"], 1, "at most 3 characters"),
        ("x ah(2)", ["a", "😀😀"], 1, "at most 6 bytes"),
        ("x decimal(5,2)", ["1", "1000"], 1, "a number of at most 3 digits and 2 decimals"),
        ("x decimal(5,2)", ["1", "0.001"], 1, "a number of at most 3 digits and 2 decimals"),
        ("x decimal(5,2)", ["1", "1,1"], 1, "a number of at most 3 digits and 2 decimals"),
        ("x decimal", ["1", "NaN"], 1, "a number"),
        ("x decimal", ["1", "1e99999999"], 1, "a number"),
        ("x decimal", ["1", "1e99999"], 1, "a number"),
        ("x decimal", ["1", "1_0"], 1, "a number"),
        ("x decimal", ["1", True], 1, "a number"),
        ("x decimal", [{}, True], 1, "a number"),
        ("x decimal commas", ["1,234", "12,34"], 1, "a number with commas between thousands"),
        ("x decimal commas", ["1,234", "1234,567"], 1, "a number with commas between thousands"),
        ("x decimal commas", [",,", "1"], 0, "a number with commas between thousands"),
        ("x boolean", [True, "Y"], 1, "true or false"),
        ("x date YYYY-MM-DD", [None, "2026-01-01", "2026-02-30"], 2, "a date, YYYY-MM-DD"),
        ("x month YYYY-MM", ["2026-13"], 0, "a month, YYYY-MM"),
        ("x time hh:mm", ["10:00", "24:00"], 1, "a time, hh:mm"),
    ],
)
def test_a_wrong_value_is_a_fault_of_its_row(codec_of, line, column, index, expected):
    with pytest.raises(ValueFault) as caught:
        codec_of(line).decode(column)
    assert (caught.value.index, caught.value.expected) == (index, expected)


def test_values_of_requests_have_the_form_of_json(codec_of):
    assert codec_of("x decimal(5,2)").encode("01.50") == "1.5"
    assert isinstance(codec_of("x decimal(5)").encode("7"), RawNumber)
    assert isinstance(codec_of("x date epoch_ms").encode("20260131"), RawNumber)
    assert codec_of("x boolean").encode("true") is True
    assert codec_of("x date", {"date": "YYYY-MM-DD"}).encode("20260131") == "2026-01-31"
    assert codec_of("x datetime iso").encode("20260131101112") == "2026-01-31T10:11:12+09:00"
    assert (codec_of("x an(3)").encode("a"), codec_of("x n(3)").encode("07"), codec_of("x ah(3)").encode("가")) == (
        "a",
        "07",
        "가",
    )


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("x an(3)", "abcd"), ("x an(3)", "한"), ("x n(3)", "a"), ("x ah(1)", "ab"), ("x ah(3)", "\n"),
        ("x decimal(3)", "x"), ("x boolean", "Y"), ("x date", "2026"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_not_sent(codec_of, line, text):
    with pytest.raises(ValueFault):
        codec_of(line).encode(text)


def test_what_is_known_at_load(codec_of):
    known = codec_of("x decimal(18,3)").field
    assert (known.kind, known.digits, known.scale, known.longer) == (Kind.NUMBER, 15, 3, "")
    assert codec_of("x an").field.longer == "check"
    assert codec_of("x ah(10)").field.max_bytes == 30
    assert codec_of("x boolean").field.choices == {"true", "false"}


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12)))
def test_numbers_are_exact(codec_of, numbers):
    values = codec_of("x decimal(18,3)").decode([str(number) for number in numbers])
    assert [Decimal(value.decode()) for value in values] == numbers
    assert all(not value.endswith(b".") and value != b"-0" for value in values)
