"""Compiles the types of 첨부2 into checks, one per field: whether a text is a value of the field."""

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
CALENDAR_PATTERNS: Final = {
    "DATE": _DATE,
    "DTIME": _DATE + _TIME,
    "DTIME|DATE": f"{_DATE}(?:{_TIME})?",
    "month": _MONTH,
}
"""Regular expressions of dates, times and months; real days only."""

CHARACTER_CLASSES: Final = {
    "A": "[A-Z]",
    "a": "[a-z]",
    "AN": "[0-9A-Z]",
    "aN": "[0-9A-Za-z]",
    "aNS": "[ -~]",
    "NS": r"[ -@\[-`{-~]",
}
BASE64_PATTERN: Final = "[0-9A-Za-z+/_-]+={0,2}"
"""Regular expression of B64 without its length."""

_DESCRIPTIONS: Final = {
    "DATE": "DATE, YYYYMMDD",
    "DTIME": "DTIME, YYYYMMDDhhmmss",
    "DTIME|DATE": "DTIME|DATE, YYYYMMDDhhmmss|YYYYMMDD",
    "month": "YYYYMM",
}
_WIDENED_FIELDS: Final = frozenset({"api_uri", "next_page", "org_regno", "merchant_regno"})
"""Fields of type aN whose described values need aNS: `/accounts` (공통-001), an opaque cursor that is aNS in every
other API (채권-003), registration numbers with hyphens (지원-002, 전금-103)."""


def to_text(value: object) -> str:
    """Returns the text of a JSON value, "" for null, an empty string, lists and objects.

    The standard writes all values as JSON strings. Operators of 2021 also send numbers and booleans, which stand for
    their text (`true`, `12`, `0.5`).
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):  # NaN is not JSON, but Python reads it
        text = repr(value)
        return format(Decimal(text), "f") if "e" in text else text
    return ""


def get_checked_type(field: Field) -> str:
    """Returns the type to check: `month` for YYYYMM in N(6), aNS for `_WIDENED_FIELDS`, else the field's type."""
    if field.type == "N" and field.length == "6" and field.name.endswith("_month"):
        return "month"
    return "aNS" if field.name in _WIDENED_FIELDS else field.type


def describe_allowed(field: Field) -> str:
    """Describes the allowed values for a refusal: `DATE, YYYYMMDD`, `aN(20)`, `01, 02` (one of these)."""
    if field.codes:
        return ", ".join(field.codes)
    kind = get_checked_type(field)
    if kind in _DESCRIPTIONS:
        return _DESCRIPTIONS[kind]
    return f"{kind}({field.length})" if field.length else kind


def compile_field_check(field: Field, *, strict: bool = True) -> Check:
    """Returns the check of one scalar field; a code table replaces its type (`Bearer` has type `a`, lower case).

    Without `strict`, lengths and dates are checked, but not character classes and code tables. Digits are always ASCII
    digits. Raises KeyError for a type that is not in 첨부2.
    """
    kind = get_checked_type(field)
    if strict and field.codes:
        return frozenset(field.codes).__contains__
    if kind in CALENDAR_PATTERNS:
        return re.compile(CALENDAR_PATTERNS[kind]).fullmatch
    if kind == "Boolean":
        return frozenset({"true", "false"}).__contains__
    if kind == "AH":
        return _compile_max_bytes(int(field.length))
    if strict:
        return _compile_pattern(kind, field.length).fullmatch
    return _compile_max_characters(get_max_length(kind, field.length))


def _compile_pattern(kind: str, length: str) -> re.Pattern[str]:
    if kind in {"F", "N"}:
        return re.compile(build_number_pattern(kind, length))
    if kind == "B64":
        return re.compile(f"(?=.{{1,{length}}}\\Z){BASE64_PATTERN}")
    return re.compile(f"{CHARACTER_CLASSES[kind]}{{1,{length}}}")


def build_number_pattern(kind: str, length: str) -> str:
    """Returns the regular expression of N or F(p,s) with its digits."""
    if kind == "N":
        return f"-?[0-9]{{1,{length}}}"
    whole, fraction = _split_digits(length)
    return f"-?[0-9]{{1,{whole}}}(?:\\.[0-9]{{1,{fraction}}})?"


def _split_digits(length: str) -> tuple[int, int]:
    """Returns the digits before and after the decimal point of F(p,s); p counts both."""
    precision, scale = map(int, length.split(","))
    return max(precision - scale, 1), scale


def get_max_length(kind: str, length: str) -> int:
    """Returns the longest text of a type in characters; 첨부2 does not count sign and decimal point."""
    if kind == "F":
        return sum(_split_digits(length)) + 2
    return int(length) + (kind == "N")


def _compile_max_characters(limit: int) -> Check:
    return lambda text: 0 < len(text) <= limit


def _compile_max_bytes(limit: int) -> Check:
    def matches(text: str) -> bool:
        if text.isascii():
            return 0 < len(text) <= limit
        try:
            return len(text.encode()) <= limit
        except UnicodeEncodeError:  # a lone surrogate: JSON can write it, UTF-8 cannot
            return False

    return matches
