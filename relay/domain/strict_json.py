"""Reads JSON objects that all readers see alike: no duplicate names, no NaN, in UTF-8 (RFC 8259)."""

import json
from typing import Any


class DuplicateName(ValueError):
    """An object has a duplicate name; two readers could see different values (RFC 8259 4)."""


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DuplicateName
    return members


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class DecimalText(str):
    """A JSON number with a decimal point, with all its digits but zeros at its end; a float has only 17."""

    __slots__ = ()


def _read_decimal(text: str) -> DecimalText | float:
    if "e" in text or "E" in text:
        return float(text)
    whole, _, fraction = text.partition(".")
    return DecimalText(f"{whole}.{fraction.rstrip('0') or '0'}")


_decoder = json.JSONDecoder(object_pairs_hook=_build_object, parse_constant=_refuse_constant)
_exact_decoder = json.JSONDecoder(
    object_pairs_hook=_build_object, parse_constant=_refuse_constant, parse_float=_read_decimal
)


def read_object(data: bytes, *, keeps_decimals: bool = False) -> dict[str, Any]:
    """Returns the JSON object in `data`, with DecimalText instead of floats if `keeps_decimals`.

    Raises DuplicateName, or ValueError when `data` is not a JSON object.
    """
    text = data.decode()
    decoder = _exact_decoder if keeps_decimals else _decoder
    try:
        # PERF: without white space around it the object is scanned directly; skipping white space costs a third more
        if text[:1] == "{" and text[-1:] == "}":
            value, end = decoder.scan_once(text, 0)  # type: ignore[attr-defined]
            if end != len(text):
                raise ValueError("data after the object")
        else:
            value = decoder.decode(text)
    except (RecursionError, StopIteration) as error:
        raise ValueError("nested too deeply, or not JSON") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the content is wrong, not the type of the argument
    return value
