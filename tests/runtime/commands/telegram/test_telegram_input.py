import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.policy.mediation.telegram.framing import Framing, FramingSettings
from relay.runtime.commands.telegram.telegram_input import (
    Form,
    NotHex,
    format_hex,
    is_framed,
    parse_hex,
    parse_input,
    read_input,
)

FRAMING = Framing(FramingSettings(length=4), 8)
DATA = bytes(range(40))


@given(st.binary(min_size=1, max_size=200))
def test_printed_hex_is_read_again(data):
    assert parse_hex(format_hex(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        "0x30 0x30",
        "30:30",
        "30-30",
        "# a telegram\n30 # first\n30\n",
        "3030",
    ],
)
def test_usual_forms_of_hex_are_read(text):
    assert parse_hex(text) == b"00"


@pytest.mark.parametrize("command", [["xxd"], ["hexdump", "-C"], ["od", "-A", "x", "-t", "x1"]])
def test_dumps_of_usual_programs_are_read(command, tmp_path):
    file = tmp_path / "data"
    file.write_bytes(DATA)
    try:
        dump = subprocess.run([*command, file], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        dump = DUMPS[command[0]]
    lines = dump.splitlines()
    lines = lines[:-1] if command[0] != "xxd" else lines  # the last offset has no bytes
    assert parse_hex("\n".join(lines)) == DATA


DUMPS = {
    "xxd": "00000000: 0001 0203 0405 0607 0809 0a0b 0c0d 0e0f  ................\n"
    "00000010: 1011 1213 1415 1617 1819 1a1b 1c1d 1e1f  ................\n"
    "00000020: 2021 2223 2425 2627                       !\"#$%&'\n",
    "hexdump": "00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|\n"
    "00000010  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f  |................|\n"
    "00000020  20 21 22 23 24 25 26 27                           | !\"#$%&'|\n00000028\n",
    "od": "000000 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n"
    "000010 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f\n000020 20 21 22 23 24 25 26 27\n000028\n",
}


def test_a_dump_of_wireshark_is_read():
    assert parse_hex("0000   30 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65   00123456789abcde\n0010   66   f") == (
        b"00123456789abcdef"
    )


@pytest.mark.parametrize(("text", "problem"), [("30\nzz", "line 2, is not hexadecimal"), ("303", "an odd number")])
def test_other_text_is_no_hex(text, problem):
    with pytest.raises(NotHex, match=problem):
        parse_hex(text)


def test_whole_telegrams_are_raw_bytes_although_they_look_like_hex():
    assert parse_input(b"000412340004abcd", FRAMING) == b"000412340004abcd"
    assert parse_input(b"00041234\n", FRAMING) == b"00041234"
    assert parse_input(b"3030303431323334", FRAMING) == b"00041234"


def test_a_form_that_is_given_is_used():
    assert parse_input(b"3030", FRAMING, Form.RAW) == b"3030"
    with pytest.raises(NotHex):
        parse_input(b"00041zz4", FRAMING, Form.HEX)
    with pytest.raises(NotHex, match="is not text"):
        parse_input(b"\xff", FRAMING, Form.HEX)


@given(st.binary(max_size=60))
def test_any_bytes_are_framed_or_not(data):
    assert is_framed(data, FRAMING) in {True, False}


@pytest.mark.parametrize(
    ("source", "text"),
    [("none.telegram", "no such file"), ("a/b", "no such file"), (".", "cannot be read"), ("", "is empty")],
)
def test_input_that_cannot_be_read_is_named(source, text, capsys):
    with pytest.raises(SystemExit) as end:
        read_input(source, FRAMING, "EUC-KR")
    assert (end.value.code, text in capsys.readouterr().err) == (2, True)


def test_a_huge_file_is_refused(tmp_path, capsys):
    file = tmp_path / "huge"
    with file.open("wb") as opened:
        opened.truncate(20_000_000)
    with pytest.raises(SystemExit):
        read_input(str(file), FRAMING, "EUC-KR")
    assert "is too large" in capsys.readouterr().err


def test_text_of_an_argument_has_the_charset_of_the_link():
    assert read_input("0004가나", FRAMING, "EUC-KR") == "0004가나".encode("euc-kr")
