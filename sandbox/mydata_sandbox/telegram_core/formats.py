"""Formats of fields as the core of the bank writes and reads them: bytes of EUC-KR, packed and zoned decimals."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

CHARSET: Final = "euc-kr"
_PLUS: Final = "{ABCDEFGHI"
_MINUS: Final = "}JKLMNOPQR"


@dataclass(frozen=True, slots=True)
class Format:
    """A field of `length` bytes. `write` returns the bytes of a Python value; None is blank where that is possible."""

    length: int
    write: Callable[[Any], bytes]

    def read(self, raw: bytes) -> str:
        """Returns the text of a field without its padding."""
        return raw.decode(CHARSET).strip()


def text(length: int) -> Format:
    """Returns a format of text: left-aligned, padded with blanks, cut after the last whole character that fits."""

    def write(value: object) -> bytes:
        raw = str("" if value is None else value).encode(CHARSET)
        return raw[:length].decode(CHARSET, "ignore").encode(CHARSET).ljust(length)

    return Format(length, write)


def yes_no() -> Format:
    """Returns a format of Y, N and blank."""
    return Format(1, lambda value: b" " if value is None else b"Y" if value else b"N")


def digits(length: int, decimals: int = 0) -> Format:
    """Returns a format of digits with implied decimals, padded with zeros. None becomes zeros."""
    return Format(length, lambda value: _scale(value, length, decimals)[1].encode())


def signed(length: int, decimals: int = 0) -> Format:
    """Returns a format of a sign, + or -, and digits with implied decimals."""

    def write(value: object) -> bytes:
        is_negative, number = _scale(value, length - 1, decimals)
        return (b"-" if is_negative else b"+") + number.encode()

    return Format(length, write)


def zoned(length: int, decimals: int = 0) -> Format:
    """Returns a format of digits with the sign overpunched in the last one."""

    def write(value: object) -> bytes:
        is_negative, number = _scale(value, length, decimals)
        return (number[:-1] + (_MINUS if is_negative else _PLUS)[int(number[-1])]).encode()

    return Format(length, write)


def packed(length: int, decimals: int = 0) -> Format:
    """Returns a format of packed decimals: two digits in a byte, the sign C or D in the last half byte."""

    def write(value: object) -> bytes:
        is_negative, number = _scale(value, 2 * length - 1, decimals)
        half_bytes = [int(digit) for digit in number] + [0xD if is_negative else 0xC]
        return bytes(high << 4 | low for high, low in zip(half_bytes[::2], half_bytes[1::2], strict=True))

    return Format(length, write)


def binary(length: int) -> Format:
    """Returns a format of whole numbers, the highest byte first."""
    return Format(length, lambda value: int(value).to_bytes(length, "big"))


def day() -> Format:
    """Returns a format of dates, YYYYMMDD, blank for None."""
    return Format(8, lambda value: (f"{value:%Y%m%d}" if isinstance(value, date) else "").ljust(8).encode())


def moment() -> Format:
    """Returns a format of dates with time, YYYYMMDDHHMMSS, blank for None."""
    return Format(14, lambda value: (f"{value:%Y%m%d%H%M%S}" if isinstance(value, datetime) else "").ljust(14).encode())


def _scale(value: object, length: int, decimals: int) -> tuple[bool, str]:
    """Returns whether a number is negative, and its digits. Raises ValueError when it does not fit."""
    number = Decimal(str(value or 0)).scaleb(decimals)
    whole = int(number)
    if whole != number or abs(whole) >= 10**length:
        raise ValueError(f"a number does not fit in {length} digits with {decimals} decimals")
    return whole < 0, f"{abs(whole):0{length}}"
