"""Codecs of text: ASCII, digits, Hangul, dates and times."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from itertools import repeat
from typing import Final

from relay.policy.mediation.errors import ValueFault
from relay.policy.mediation.telegram.codec import BLANK, ZERO, Codec, Column, Kind, raise_first, to_ascii
from relay.policy.mediation.telegram.notation import Item

CHARSETS: Final = {"EUC-KR": "euc_kr", "CP949": "cp949", "UTF-8": "utf_8"}
"""Python's codecs by the names of the settings."""

_PRINTABLE: Final = bytes(range(0x20, 0x7F))
_CONTROLS: Final = bytes(range(0x20)) + b"\x7f"
_END: Final = b"\n"
"""Separates values while a column is decoded at once. No trail byte of the charsets is below 0x41."""

_WIDE_BLANK: Final = "\u3000"
_CENTURY_PIVOT: Final = 70


class AsciiCodec(Codec):
    """`an`: printable ASCII, left-aligned and padded with blanks unless the field says otherwise."""

    kind = Kind.ASCII

    def __init__(self, item: Item) -> None:
        super().__init__(item)
        self._pad = ZERO if item.pad == "zero" else BLANK
        self._is_right = item.align == "right"

    def decode(self, column: Column) -> Column:
        """Returns values without padding. PERF: three operations on the column, 0.05 us for a value."""
        joined, pad = b"".join(column), self._pad
        if joined.translate(None, _PRINTABLE):
            raise_first(column, lambda value: not value.translate(None, _PRINTABLE), "printable ASCII characters")
        if BLANK not in joined and pad == BLANK:
            return column
        if self._is_right:
            column = list(map(bytes.lstrip, column, repeat(pad)))
        elif pad != BLANK:
            column = list(map(bytes.rstrip, column, repeat(pad)))
        return list(map(bytes.rstrip, column))

    def encode(self, text: str) -> bytes:
        """Returns the text with padding. Raises ValueFault when it is too long or not ASCII."""
        value = to_ascii(text, f"at most {self.length} printable ASCII characters")
        if len(value) > self.length:
            raise ValueFault(0, f"at most {self.length} characters")
        if not value:
            return BLANK * self.length
        return value.rjust(self.length, self._pad) if self._is_right else value.ljust(self.length, self._pad)


class DigitsCodec(Codec):
    """`n`: digits, right-aligned and padded with zeros. Leading zeros stay: a number of an account needs them."""

    kind = Kind.DIGITS

    def __init__(self, item: Item) -> None:
        super().__init__(item)
        self.digits = item.bytes
        self._pad = BLANK if item.pad == "blank" else ZERO

    def decode(self, column: Column) -> Column:
        """Returns digits; blanks are no value."""
        joined = b"".join(column)
        if joined.isdigit():
            if self.zero_blank:
                return self._drop_zeros(column) if joined.strip(ZERO) else [b""] * len(column)
            return column
        values = [value.strip(BLANK) for value in column]
        expected = f"{self.length} digits"
        raise_first(values, lambda value: not value or value.isdigit(), expected)
        if self._pad == ZERO:
            for index, value in enumerate(values):
                if value and len(value) != self.length:
                    raise ValueFault(index, expected)
        return self._drop_zeros(values) if self.zero_blank else values

    @staticmethod
    def _drop_zeros(column: Column) -> Column:
        return [value if value.strip(ZERO) else b"" for value in column]

    def encode(self, text: str) -> bytes:
        """Returns padded digits. Raises ValueFault for other characters and for too many digits."""
        if text and not (text.isascii() and text.isdigit() and len(text) <= self.length):
            raise ValueFault(0, f"at most {self.length} digits")
        if not text:
            return (ZERO if self.zero_blank else BLANK) * self.length
        return text.encode("ascii").rjust(self.length, self._pad)


class TextCodec(Codec):
    """`ah`: text in the charset of the link, left-aligned and padded with blanks."""

    kind = Kind.TEXT

    def __init__(self, item: Item, charset: str) -> None:
        super().__init__(item)
        self._charset = CHARSETS[charset]
        self._name = charset
        self._is_right = item.align == "right"
        self.max_bytes = item.bytes if charset == "UTF-8" else item.bytes // 2 * 3 + item.bytes % 2

    def decode(self, column: Column) -> Column:
        """Returns values in UTF-8 without padding.

        PERF: the column is decoded at once, 0.13 us for a value; `bytes.rstrip` without argument takes a third of the
        time of `rstrip(b" ")`, and control characters are none by then.
        """
        joined = b"".join(column)
        if len(joined.translate(None, _CONTROLS)) != len(joined):
            expected = "text without control characters"
            raise_first(column, lambda value: value == value.translate(None, _CONTROLS), expected)
        stripped = list(map(bytes.rstrip, column))
        try:
            text = _END.join(stripped).decode(self._charset)
        except UnicodeDecodeError:
            self._raise_undecodable(stripped)
            raise
        if self._is_right or _WIDE_BLANK in text:
            return [value.strip(" " + _WIDE_BLANK).encode() for value in text.split("\n")]
        return text.encode().split(_END)

    def _raise_undecodable(self, column: Column) -> None:
        for index, value in enumerate(column):
            try:
                value.decode(self._charset)
            except UnicodeDecodeError as error:
                is_half = error.end == len(value)
                expected = f"a whole character of {self._name}" if is_half else f"a character of {self._name}"
                raise ValueFault(index, expected, error.start) from None

    def encode(self, text: str) -> bytes:
        """Returns the text with padding; a text too long is cut after its last whole character that fits."""
        if not text.isprintable():
            raise ValueFault(0, "text without control characters")
        try:
            value = text.encode(self._charset)
        except UnicodeEncodeError:
            raise ValueFault(0, f"characters of {self._name}") from None
        if self._charset == "euc_kr" and len(value) > 2 * len(text):  # Python composes other syllables of 8 bytes
            raise ValueFault(0, f"characters of {self._name}")
        if len(value) > self.length:
            value = value[: self.length].decode(self._charset, "ignore").encode(self._charset)
        return value.rjust(self.length, BLANK) if self._is_right else value.ljust(self.length, BLANK)


@lru_cache(maxsize=4096)
def _is_day(value: bytes) -> bool:
    try:
        date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return False
    return True


def _find_blank(column: Column) -> list[bytes]:
    """Returns the column with `b""` in place of blanks and zeros."""
    return [value if value.strip(b" ") and value.strip(b"0") else b"" for value in column]


class DateCodec(Codec):
    """`date`: YYYYMMDD, or YYMMDD in 6 bytes, 1970 to 2069. Blanks and zeros are no date."""

    kind = Kind.DATE

    def __init__(self, item: Item) -> None:
        super().__init__(item)
        self.max_bytes = 8
        self._expected = "a date, YYYYMMDD" if item.bytes == 8 else "a date, YYMMDD"  # noqa: PLR2004 - YYYYMMDD

    def decode(self, column: Column) -> Column:
        """Returns days as YYYYMMDD."""
        is_short = self.length == 6  # noqa: PLR2004 - YYMMDD
        if b"".join(column).isdigit() and not is_short and all(map(_is_day, set(column))):
            return column
        values = _find_blank(column)
        raise_first(values, lambda value: not value or value.isdigit(), self._expected)
        if is_short:
            values = [_add_century(value) for value in values]
        raise_first(values, lambda value: not value or _is_day(value), self._expected)
        return values

    def encode(self, text: str) -> bytes:
        """Returns a day; "" becomes blanks. Raises ValueFault for anything but YYYYMMDD."""
        if not text:
            return BLANK * self.length
        value = text.encode("ascii", "replace")
        if len(value) != 8 or not value.isdigit() or not _is_day(value):  # noqa: PLR2004 - YYYYMMDD
            raise ValueFault(0, "a date, YYYYMMDD")
        if self.length != len(value) and _add_century(value[2:]) != value:
            raise ValueFault(0, "a date from 1970 to 2069")
        return value[-self.length :]


def _add_century(value: bytes) -> bytes:
    if not value:
        return value
    return (b"19" if int(value[:2]) >= _CENTURY_PIVOT else b"20") + value


class TimeCodec(Codec):
    """`time`: HHMMSS, or HHMM in 4 bytes. Blanks are no time; zeros are midnight."""

    kind = Kind.TIME

    def __init__(self, item: Item) -> None:
        super().__init__(item)
        self.max_bytes = 6
        self._expected = "a time, HHMMSS" if item.bytes == 6 else "a time, HHMM"  # noqa: PLR2004 - HHMMSS

    def decode(self, column: Column) -> Column:
        """Returns times as HHMMSS."""
        values: Sequence[bytes] = column
        if not b"".join(column).isdigit():
            values = [value if value.strip(b" ") else b"" for value in column]
        if not _are_times(values, self.length):
            raise_first(values, lambda value: _are_times([value], self.length), self._expected)
        return [value and value + b"00" for value in values] if self.length == 4 else values  # noqa: PLR2004 - HHMM

    def encode(self, text: str) -> bytes:
        """Returns a time; "" becomes blanks. Raises ValueFault for anything but HHMMSS."""
        if not text:
            return BLANK * self.length
        value = text.encode("ascii", "replace")
        if len(value) != 6 or not _are_times([value], 6):  # noqa: PLR2004 - HHMMSS
            raise ValueFault(0, "a time, HHMMSS")
        return value[: self.length]


def _are_times(column: Column, length: int) -> bool:
    """Whether all values are times or `b""`. PERF: slices with a step check one digit of all values at once."""
    joined = b"".join(column)
    if not joined:
        return True
    return (
        joined.isdigit()
        and max(column)[:2] < b"24"
        and not joined[2::length].strip(b"012345")
        and not joined[4::length].strip(b"012345" if length > 4 else b"0123456789")  # noqa: PLR2004 - HHMM
    )


class DatetimeCodec(Codec):
    """`datetime`: YYYYMMDDHHMMSS. Blanks and zeros are none."""

    kind = Kind.DATETIME

    def __init__(self, item: Item) -> None:
        super().__init__(item)
        self.max_bytes = 14

    def decode(self, column: Column) -> Column:
        """Returns moments as YYYYMMDDHHMMSS. PERF: usual columns have no blanks, 0.15 us for a value."""
        if all(column) and self._are_moments(column):
            return column
        values = _find_blank(column)
        if not self._are_moments(values):
            raise_first(values, lambda value: self._are_moments([value]), "a date and time, YYYYMMDDHHMMSS")
        return values

    @staticmethod
    def _are_moments(values: Column) -> bool:
        present = [value for value in values if value]
        return not present or (
            b"".join(present).isdigit()
            and _are_times([value[8:] for value in present], 6)
            and all(map(_is_day, {value[:8] for value in present}))
        )

    def encode(self, text: str) -> bytes:
        """Returns a moment; "" becomes blanks. Raises ValueFault for anything but YYYYMMDDHHMMSS."""
        value = text.encode("ascii", "replace")
        if value and (len(value) != self.length or not self._are_moments([value])):
            raise ValueFault(0, "a date and time, YYYYMMDDHHMMSS")
        return value or BLANK * self.length
