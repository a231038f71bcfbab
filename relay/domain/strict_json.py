"""JSON read so that every reader sees the same: one object, each name once, no NaN, in UTF-8 (RFC 8259)."""

import json
from typing import Any


class Doubled(ValueError):
    """A name stands twice in one object; two readers could believe two different values."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Doubled
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)
_scan = _decoder.scan_once  # type: ignore[attr-defined]


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`. Raises Doubled, or ValueError when it is no JSON object at all."""
    text = data.decode()
    try:
        # PERF: without blanks around it the object is all there is; looking for them costs a third of reading it
        if text[:1] == "{" and text[-1:] == "}":
            found, end = _scan(text, 0)
            if end != len(text):
                raise ValueError("something follows the object")
        else:
            found = _decoder.decode(text)
    except (RecursionError, StopIteration) as error:
        raise ValueError("nested too deep, or no JSON") from error
    if not isinstance(found, dict):
        raise ValueError("no object")  # noqa: TRY004 - what is read is wrong, not what was passed
    return found
