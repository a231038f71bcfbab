"""The types of 첨부2 as checks, made once per field: whether a text is a value of that field."""

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from relay.domain.api import Field

Check = Callable[[str], object]
"""Truthy when a non-empty text is a value of the field."""

_TIME: Final = "(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]"
_LEAP_YEAR: Final = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE: Final = (
    "(?!0000)(?:[0-9]{4}(?:(?:0[13578]|1[02])(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)(?:0[1-9]|[12][0-9]|30)"
    f"|02(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}0229)"
)
_MONTH: Final = "(?!0000)[0-9]{4}(?:0[1-9]|1[0-2])"
_CALENDAR: Final = {"DATE": _DATE, "DTIME": _DATE + _TIME, "DTIME|DATE": f"{_DATE}(?:{_TIME})?", "month": _MONTH}
_CHARACTERS: Final = {
    "A": "[A-Z]",
    "a": "[a-z]",
    "AN": "[0-9A-Z]",
    "aN": "[0-9A-Za-z]",
    "aNS": "[ -~]",
    "NS": r"[ -@\[-`{-~]",
}
_WORDS: Final = {
    "DATE": "DATE, YYYYMMDD",
    "DTIME": "DTIME, YYYYMMDDhhmmss",
    "DTIME|DATE": "DTIME|DATE, YYYYMMDDhhmmss|YYYYMMDD",
    "month": "YYYYMM",
}
_WIDER: Final = frozenset({"api_uri", "next_page", "org_regno", "merchant_regno"})
"""Fields the standard types aN while its own words give them more: `/accounts` (공통-001), an opaque cursor that is
aNS in every other API (채권-003), registration numbers written with hyphens (지원-002, 전금-103)."""


def text_of(value: object) -> str:
    """The text of a JSON value; "" for what is no value of a field: null, an empty text, a list, an object.

    The standard writes every value as a JSON string; operators of 2021 send numbers and booleans, which mean their
    text (`true`, `12`, `0.5`).
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):  # NaN is no JSON, though Python reads it
        text = repr(value)
        return format(Decimal(text), "f") if "e" in text else text
    return ""


def kind_of(field: Field) -> str:
    """The type a value is held against: the row's, `month` for YYYYMM in N(6), aNS where the row says too little."""
    if field.type == "N" and field.length == "6" and field.name.endswith("_month"):
        return "month"
    return "aNS" if field.name in _WIDER else field.type


def allowed(field: Field) -> str:
    """What a value may be, for the one who sent another: `DATE, YYYYMMDD`, `aN(20)`, `01, 02` (one of them)."""
    if field.codes:
        return ", ".join(field.codes)
    kind = kind_of(field)
    if kind in _WORDS:
        return _WORDS[kind]
    return f"{kind}({field.length})" if field.length else kind


def check_of(field: Field, *, strict: bool = True) -> Check:
    """The check of one scalar field; a code table stands for its type (`Bearer` is typed `a`, lower case).

    Not strict: character classes and code tables are not looked at, lengths and calendars are. Digits are ASCII
    digits in both. Raises KeyError for a type 첨부2 does not know.
    """
    kind = kind_of(field)
    if strict and field.codes:
        return frozenset(field.codes).__contains__
    if kind in _CALENDAR:
        return re.compile(_CALENDAR[kind]).fullmatch
    if kind == "Boolean":
        return frozenset({"true", "false"}).__contains__
    if kind == "AH":
        return _bytes_within(int(field.length))
    return _pattern(kind, field.length).fullmatch if strict else _length_within(_widest(kind, field.length))


def _pattern(kind: str, length: str) -> re.Pattern[str]:
    if kind == "F":
        whole, fraction = _digits(length)
        return re.compile(f"-?[0-9]{{1,{whole}}}(?:\\.[0-9]{{1,{fraction}}})?")
    if kind == "N":
        return re.compile(f"-?[0-9]{{1,{length}}}")
    if kind == "B64":
        return re.compile(f"(?=.{{1,{length}}}\\Z)[0-9A-Za-z+/_-]+={{0,2}}")
    return re.compile(f"{_CHARACTERS[kind]}{{1,{length}}}")


def _digits(length: str) -> tuple[int, int]:
    """Digits before and after the point of F(p,s): p counts both."""
    precision, scale = map(int, length.split(","))
    return max(precision - scale, 1), scale


def _widest(kind: str, length: str) -> int:
    """The longest text of a type in characters; sign and point are not counted by 첨부2, but written."""
    if kind == "F":
        return sum(_digits(length)) + 2
    return int(length) + (kind == "N")


def _length_within(longest: int) -> Check:
    return lambda text: 0 < len(text) <= longest


def _bytes_within(longest: int) -> Check:
    def fits(text: str) -> bool:
        if text.isascii():
            return 0 < len(text) <= longest
        try:
            return len(text.encode()) <= longest
        except UnicodeEncodeError:  # half of a surrogate pair: JSON can write it, UTF-8 cannot
            return False

    return fits
