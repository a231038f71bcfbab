"""Whether a text is a value of a field, by the types of 규격 첨부2.

These rules are written apart from the relay's, so that a mistake of one is seen by the other.
"""

import string
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from relay.domain.api import Field

_CHARACTERS: Final = {
    "A": frozenset(string.ascii_uppercase),
    "a": frozenset(string.ascii_lowercase),
    "AN": frozenset(string.ascii_uppercase + string.digits),
    "aN": frozenset(string.ascii_letters + string.digits),
    "aNS": frozenset(map(chr, range(0x20, 0x7F))),
    "NS": frozenset(map(chr, range(0x20, 0x7F))) - frozenset(string.ascii_letters),
}
_DATE_FORMATS: Final = {
    "DATE": (("%Y%m%d", 8),),
    "DTIME": (("%Y%m%d%H%M%S", 14),),
    "DTIME|DATE": (("%Y%m%d%H%M%S", 14), ("%Y%m%d", 8)),
    "YYYYMM": (("%Y%m", 6),),
}
_PRINTABLE: Final = frozenset({"api_uri", "next_page", "org_regno", "merchant_regno"})
"""Fields of type aN whose described values need aNS: paths (공통-001), cursors, registration numbers with hyphens."""


def get_type(field: Field) -> str:
    """Returns the type to check. A month, N(6), is YYYYMM."""
    if field.name in _PRINTABLE:
        return "aNS"
    if (field.type, field.length) == ("N", "6") and field.name.endswith("_month"):
        return "YYYYMM"
    return field.type


def describe_type(field: Field) -> str:
    """Returns what a value must be: `one of 01, 02`, `DATE`, `aN(20)`."""
    if field.codes:
        return f"one of {', '.join(field.codes)}"
    kind = get_type(field)
    return f"{kind}({field.length})" if field.length and kind not in _DATE_FORMATS else kind


def is_value(field: Field, text: str) -> bool:
    """Returns whether `text` is a value of the field. Raises KeyError for a type that is not in 첨부2."""
    if field.codes:
        return text in field.codes
    kind = get_type(field)
    if kind in _DATE_FORMATS:
        return any(_is_date(text, form, length) for form, length in _DATE_FORMATS[kind])
    if kind in _CHECKS:
        return _CHECKS[kind](text, field.length)
    return 0 < len(text) <= int(field.length) and _CHARACTERS[kind].issuperset(text)


def _is_date(text: str, form: str, length: int) -> bool:
    if len(text) != length or not _is_digits(text, length):
        return False
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - only whether it is a day
    except ValueError:
        return False
    return True


def _is_digits(text: str, most: int) -> bool:
    return 0 < len(text) <= most and text.isascii() and text.isdigit()


def _is_boolean(text: str, _: str) -> bool:
    return text in {"true", "false"}


def _is_short(text: str, length: str) -> bool:
    """Returns whether `text` is AH: UTF-8 of at most `length` bytes, without lone surrogates."""
    try:
        return 0 < len(text.encode()) <= int(length)
    except UnicodeEncodeError:
        return False


def _is_number(text: str, length: str) -> bool:
    return _is_digits(text.removeprefix("-"), int(length))


def _is_decimal(text: str, length: str) -> bool:
    """Returns whether `text` is F(p,s): at most p digits, at most s of them behind the point."""
    precision, scale = map(int, length.split(","))
    whole, point, fraction = text.removeprefix("-").partition(".")
    if point and not _is_digits(fraction, scale):
        return False
    return _is_digits(whole, max(precision - scale, 1))


def _is_base64(text: str, length: str) -> bool:
    digits = text.rstrip("=")
    alphabet = frozenset(string.ascii_letters + string.digits + "+/-_")
    is_padded = len(text) - len(digits) < 3  # noqa: PLR2004 - at most two "="
    return bool(digits) and len(text) <= int(length) and is_padded and alphabet.issuperset(digits)


_CHECKS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "Boolean": _is_boolean,
    "AH": _is_short,
    "N": _is_number,
    "F": _is_decimal,
    "B64": _is_base64,
}
"""Checks of a text against a length, by type; other types are character sets."""
