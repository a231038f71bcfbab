"""Drafts a layout from a captured telegram: a beginning for the developer, who knows names and borders."""

import re
from collections.abc import Iterator
from typing import Final

from relay.domain.korea import parse_day
from relay.policy.mediation.telegram.texts import CHARSETS

_DIGITS: Final = rb"[0-9]+"
_ASCII: Final = rb"[\x21-\x2f\x3a-\x7e]+ *"
_TEXT: Final = rb"[\x81-\xfe][\x41-\xfe](?:[\x81-\xfe][\x41-\xfe]|[\x21-\x2f\x3a-\x40]| (?! ))* *"
_BCD: Final = b"".join(re.escape(bytes([high << 4 | low])) for high in range(10) for low in range(10))
_SIGNED: Final = b"".join(re.escape(bytes([high << 4 | low])) for high in range(10) for low in (12, 13, 15))
_PACKED: Final = rb"(?=[\x00-\x1f])[" + _BCD + rb"]{0,15}[" + _SIGNED + rb"]"
_PART: Final = re.compile(
    rb"(?P<blank> +)|(?P<digits>%b)|(?P<packed>%b)|(?P<text>%b|%b)|(?P<other>[\x00-\xff])"
    % (_DIGITS, _PACKED, _TEXT, _ASCII)
)
_FIRST_YEAR: Final = 1990
_LAST_YEAR: Final = 2049
_DAY: Final = 8
_MOMENT: Final = 14


def draft_fields(data: bytes, charset: str, first: int = 0) -> list[str]:
    """Returns lines of the notation that cover all bytes of a telegram in their order. They hold no value of it.

    Digits that are a date become one, bytes of packed decimals, of Hangul and of ASCII text their types, blanks and all
    other bytes fillers. Fields are named by the offset at which they begin; `data` begins at the offset `first`.
    """
    return [
        f"filler({length})" if kind == "filler" else f"f{first + start:04} {kind}({length})"
        for start, length, kind in _merge(_split(data, charset))
    ]


def _split(data: bytes, charset: str) -> Iterator[tuple[int, int, str]]:
    """Yields start, length and type of the parts of a telegram."""
    for match in _PART.finditer(data):
        start, length = match.start(), match.end() - match.start()
        if match["digits"] is not None:
            yield from _split_digits(start, match["digits"])
        elif match["packed"] is not None:
            yield start, length, "packed"
        elif match["text"] is not None:
            yield start, length, _find_text_type(match["text"], charset)
        else:
            yield start, length, "filler"


def _split_digits(start: int, digits: bytes) -> Iterator[tuple[int, int, str]]:
    """Yields dates, moments, and the digits between them."""
    begin = at = 0
    while at < len(digits):
        length = _find_date(digits[at : at + 2 * _DAY].decode())
        if not length:
            at += 1
            continue
        if begin < at:
            yield start + begin, at - begin, "n"
        yield start + at, length, "date" if length == _DAY else "datetime"
        begin = at = at + length
    if begin < at:
        yield start + begin, at - begin, "n"


def _find_date(text: str) -> int:
    """Returns the length of the date or moment at the beginning of digits, 0 for none. Two days are no moment."""
    if not _is_day(text[:_DAY]):
        return 0
    hour, minute, second = text[8:10], text[10:12], text[12:14]
    is_moment = len(text) >= _MOMENT and hour < "24" and minute < "60" and second < "60"
    return _MOMENT if is_moment and not _is_day(text[_DAY:]) else _DAY


def _is_day(text: str) -> bool:
    try:
        return _FIRST_YEAR <= parse_day(text).year <= _LAST_YEAR
    except ValueError:
        return False


def _find_text_type(text: bytes, charset: str) -> str:
    """Returns `an` for ASCII, `ah` for text of the charset, `filler` for bytes that are neither."""
    if text.isascii():
        return "an"
    try:
        return "ah" if text.decode(CHARSETS[charset]).isprintable() else "filler"
    except UnicodeDecodeError:
        return "filler"


def _merge(parts: Iterator[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """Yields parts with fillers beside each other as one."""
    last: tuple[int, int, str] | None = None
    for part in parts:
        if last is not None and last[2] == part[2] == "filler":
            last = (last[0], last[1] + part[1], "filler")
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last
