"""Fits sources to fields of the standard: what can be decided at load is; the rest is a check of whole columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Final

from relay.domain.api import Field
from relay.policy.call.fields import compile_field_check, describe_allowed, get_checked_type
from relay.policy.mediation.errors import LayoutError, ValueFault
from relay.policy.mediation.mapping.expressions import Source
from relay.policy.mediation.telegram.codec import Kind

Convert = Callable[[Sequence[bytes]], Sequence[bytes]]
"""Returns the values of a field of the standard, `b""` for none. Raises ValueFault."""

_TRUTH: Final = {b"Y": b"true", b"N": b"false", b"1": b"true", b"0": b"false", b"": b"", b"T": b"true", b"F": b"false"}
_TRUTH_KINDS: Final = (Kind.ASCII, Kind.DIGITS)
_CALENDAR_KINDS: Final = {
    "DATE": {Kind.DATE},
    "DTIME": {Kind.DATETIME},
    "DTIME|DATE": {Kind.DATE, Kind.DATETIME},
    "month": set(),
}
_FREE: Final = frozenset({"AH", "aNS"})
"""Types whose values may have characters that JSON escapes."""

_CALENDAR: Final = frozenset({Kind.DATE, Kind.TIME, Kind.DATETIME})


@dataclass(frozen=True, slots=True)
class Target:
    """How values become those of a field: conversions in order, and whether JSON may have to escape them."""

    converts: tuple[Convert, ...]
    is_free: bool


def compile_target(key: str, field: Field, source: Source) -> Target:
    """Returns the target of a source. Raises LayoutError when the source can never or not always be the field."""
    if source.choices is not None:
        return _compile_choices(key, field, source, source.choices)
    kind = get_checked_type(field)
    if kind == "Boolean":
        return _compile_boolean(key, source)
    if field.codes:
        return Target((_check_codes(field),), is_free=False)
    if kind in _CALENDAR_KINDS:
        return _compile_calendar(key, field, kind, source)
    if kind in {"N", "F"}:
        return _compile_number(key, field, source)
    return _compile_text(key, field, kind, source)


def _compile_choices(key: str, field: Field, source: Source, choices: frozenset[str]) -> Target:
    check = compile_field_check(field)
    wrong = sorted(choice for choice in choices if choice and not check(choice))
    if wrong:
        raise LayoutError(key, f"has the value {wrong[0]}, which {field.name} cannot have", describe_allowed(field))
    return Target((), is_free=bool(source.choices) and any(not choice.isalnum() for choice in choices))


def _compile_boolean(key: str, source: Source) -> Target:
    if source.kind not in _TRUTH_KINDS or source.max_bytes > 1:
        raise LayoutError(key, f"is {source.kind} for a Boolean", "codes with the values true and false")

    def convert(column: Sequence[bytes]) -> Sequence[bytes]:
        try:
            return [_TRUTH[value] for value in column]
        except KeyError:
            index = next(index for index, value in enumerate(column) if value not in _TRUTH)
            raise ValueFault(index, "Y, N, 1 or 0") from None

    return Target((convert,), is_free=False)


def _check_codes(field: Field) -> Convert:
    codes = frozenset(code.encode() for code in field.codes) | {b""}

    def convert(column: Sequence[bytes]) -> Sequence[bytes]:
        if not codes.issuperset(column):
            index = next(index for index, value in enumerate(column) if value not in codes)
            raise ValueFault(index, f"a code of {field.name}: {describe_allowed(field)}")
        return column

    return convert


def check_values(field: Field) -> Convert:
    """Returns a conversion that checks each value against the standard."""
    check = compile_field_check(field)

    def convert(column: Sequence[bytes]) -> Sequence[bytes]:
        for index, value in enumerate(column):
            if value and not check(value.decode()):
                raise ValueFault(index, describe_allowed(field))
        return column

    return convert


def _compile_calendar(key: str, field: Field, kind: str, source: Source) -> Target:
    if source.kind in _CALENDAR_KINDS[kind]:
        return Target((), is_free=False)
    if source.kind in _CALENDAR or source.kind in {Kind.TEXT, Kind.NUMBER}:
        raise LayoutError(key, f"is {source.kind}", describe_allowed(field))
    return Target((check_values(field),), is_free=False)


def _strip_zeros(column: Sequence[bytes]) -> Sequence[bytes]:
    """Returns digits as numbers. PERF: 0.06 us for a value."""
    numbers = list(map(bytes.lstrip, column, repeat(b"0")))
    return [number or value[:1] for number, value in zip(numbers, column, strict=True)] if b"" in numbers else numbers


def _compile_number(key: str, field: Field, source: Source) -> Target:
    precision, _, scale = field.length.partition(",")
    whole = max(int(precision) - int(scale or 0), 1)
    if source.kind in _CALENDAR and not scale and source.max_bytes <= whole:
        return Target((), is_free=False)
    if source.kind not in {Kind.NUMBER, Kind.DIGITS, Kind.ASCII}:
        raise LayoutError(key, f"is {source.kind}", describe_allowed(field))
    converts: list[Convert] = [_strip_zeros] if source.kind is Kind.DIGITS else []
    fits = source.kind is not Kind.ASCII and source.digits <= whole and source.scale <= int(scale or 0)
    if not fits:
        if source.kind is not Kind.ASCII and source.longer != "check":
            _raise_longer(key, f"{source.digits} digits and {source.scale} decimals", field, "check")
        converts.append(check_values(field))
    return Target(tuple(converts), is_free=False)


def _raise_longer(key: str, size: str, field: Field, allowed: str) -> None:
    wrong = f"has up to {size}, longer than {describe_allowed(field)}"
    raise LayoutError(key, wrong, f"a shorter field, or longer: {allowed}")


def _compile_text(key: str, field: Field, kind: str, source: Source) -> Target:
    limit = int(field.length)
    converts: list[Convert] = []
    if source.kind in {Kind.TEXT, Kind.NUMBER} and kind != "AH":
        converts.append(check_values(field))
    elif kind not in _FREE and not (source.kind in _CALENDAR | {Kind.DIGITS} and kind in {"aN", "AN", "NS"}):
        converts.append(_check_class(kind, field))
    if source.max_bytes > limit:
        if source.longer == "cut" and kind == "AH":
            converts.append(_cut(limit))
        elif source.longer == "check":
            converts.append(check_values(field))
        else:
            _raise_longer(key, f"{source.max_bytes} bytes", field, "cut or check" if kind == "AH" else "check")
    return Target(tuple(converts), is_free=kind in _FREE)


def _are_capitals_or_digits(joined: bytes) -> bool:
    return joined.isalnum() and joined.upper() == joined


def _are_capitals(joined: bytes) -> bool:
    return joined.isalpha() and joined.isupper()


_CLASS_TESTS: Final[dict[str, Callable[[bytes], bool]]] = {
    "aN": bytes.isalnum,
    "AN": _are_capitals_or_digits,
    "A": _are_capitals,
}


def _check_class(kind: str, field: Field) -> Convert:
    """Returns a check of character classes. PERF: one test of all values together, 2 us for 100.

    Several nested functions of one function would be a reference cycle in the compiled form, which a replaced layout
    would leave behind.
    """
    test = _CLASS_TESTS.get(kind)
    check = check_values(field)
    return check if test is None else partial(_convert_by_class, test, check)


def _convert_by_class(test: Callable[[bytes], bool], check: Convert, column: Sequence[bytes]) -> Sequence[bytes]:
    joined = b"".join(column)
    return column if not joined or test(joined) else check(column)


def _cut(limit: int) -> Convert:
    def convert(column: Sequence[bytes]) -> Sequence[bytes]:
        if max(map(len, column), default=0) <= limit:
            return column
        return [
            value if len(value) <= limit else value[:limit].decode(errors="ignore").rstrip().encode()
            for value in column
        ]

    return convert
