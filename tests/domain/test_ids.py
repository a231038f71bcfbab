"""Identifiers: valid, invalid and equal ones."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.ids import INDUSTRIES, ORG_CODE, ApiType, is_tran_id, normalize_serial


@pytest.mark.parametrize("letter", "MSRCPA")
def test_every_subject_letter_makes_a_tran_id(letter):
    assert is_tran_id(f"0123456789{letter}ABCDEFGH012345")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0123456789MABCDEFGH01234",  # 24
        "0123456789MABCDEFGH0123456",  # 26
        "0123456789XABCDEFGH012345",  # X is not a 주체구분코드
        "0123456789mABCDEFGH012345",  # AN has no lower case
        "0123456789MABCDEFGh012345",
        "01234567-9MABCDEFGH012345",
        "0123456789MABCDEFGH01234\n",
        "0123456789MABCDEFGH01234５",  # a digit, but not ASCII
        "012345678MXABCDEFGH012345",  # the letter is one position early
    ],
)
def test_other_texts_are_not_a_tran_id(text):
    assert not is_tran_id(text)


@given(st.text("09AZMSaz -\n\0é５Ａ", min_size=24, max_size=26))
@settings(deadline=None)
def test_a_tran_id_has_the_form_of_the_standard(text):
    assert is_tran_id(text) is bool(re.fullmatch(r"[0-9A-Z]{10}[MSRCPA][0-9A-Z]{14}", text))


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("A1AAAA0001", True),
        ("abcdefghij", True),
        ("A1AAAA001", False),
        ("A1AAAA00011", False),
        ("A1AAAA-001", False),
        ("A1AAAA000\n", False),
        ("기관코드기관코드기관", False),
    ],
)
def test_an_org_code_has_ten_letters_or_digits(text, is_valid):
    assert bool(ORG_CODE.fullmatch(text)) is is_valid


@pytest.mark.parametrize(
    ("registered", "certificate"),
    [
        ("123-45-67890", "1234567890"),
        ("1234567890", "123-45-67890"),
        (" 123-45-67890 ", "123 45 67890"),
        ("ab-12", "AB12"),
    ],
)
def test_hyphens_spaces_and_case_of_a_serial_are_ignored(registered, certificate):
    assert normalize_serial(registered) == normalize_serial(certificate)


def test_different_digits_make_serials_differ():
    assert normalize_serial("123-45-67890") != normalize_serial("123-45-67891")


@pytest.mark.parametrize("text", ["", "-", " - "])
def test_a_serial_without_letters_or_digits_is_empty(text):
    assert normalize_serial(text) == ""


@pytest.mark.parametrize("other", ["\0", "\n", "\r\n", "\t", "\u200b", "\u00a0", "가", ".", "_", "\uff11"])
def test_a_serial_with_any_other_character_is_empty(other):
    for text in (f"123-45{other}-67890", f"{other}1234567890", f"1234567890{other}"):
        assert normalize_serial(text) == ""


@settings(max_examples=30)  # keeps the tests of this folder below one second
@given(st.text())
def test_normalizing_a_serial_is_idempotent(text):
    serial = normalize_serial(text)
    assert normalize_serial(serial) == serial
    assert serial == "" or (serial.isascii() and serial.isalnum() and serial == serial.upper())


def test_there_are_eleven_distinct_industries():
    assert len(INDUSTRIES) == len(set(INDUSTRIES)) == 11


def test_one_api_type_is_scheduled_and_three_are_on_demand():
    assert {kind.value for kind in ApiType} == {"scheduled", "user-consent", "user-refresh", "user-search"}
    assert ApiType("scheduled") is ApiType.SCHEDULED
