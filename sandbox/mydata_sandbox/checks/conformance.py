"""Validates the body of a response against the catalogue."""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from mydata_sandbox.checks.field_types import describe_type, is_value
from relay.domain.api import Api, Field, Presence
from relay.standard.catalogue import load_rsp_codes

_SUCCESS: Final = "00000"
_COUNT_DIGITS: Final = 9
_CODE_LENGTH: Final = 5
_ALWAYS: Final = frozenset({"rsp_code", "rsp_msg"})


def find_violations(api: Api, body: object) -> list[str]:
    """Returns the violations of the standard in a response's JSON body, one line each with its JSON path.

    Checked are required fields, types, lengths, code tables, no null and no empty value, `xxx_cnt` against `xxx_list`
    as numbers, unknown fields, and codes that the standard does not have, which are named. Numbers and booleans stand
    for their text: see `find_remarks`. A response whose rsp_code is not 00000 may hold only rsp_code and rsp_msg (규격
    첨부1). Except for such codes, the lines contain names and rules, never values.
    """
    if not isinstance(body, dict):
        return ["$: must be an object"]
    fields = api.response.body
    code = body.get("rsp_code", _SUCCESS)
    if code != _SUCCESS and any(field.name == "rsp_code" for field in fields):
        fields = tuple(field for field in fields if field.name in _ALWAYS)
    return [*_check_code(code), *_check_object("$", fields, body)]


def _check_code(code: object) -> Iterator[str]:
    text = _to_text(code)
    if len(text) == _CODE_LENGTH and text.isdigit() and text not in load_rsp_codes():
        yield f"$.rsp_code: {text} is not in the standard"


def find_strict_violations(api: Api, body: object) -> list[str]:
    """Returns violations and remarks: for what the relay itself writes, which has JSON strings only."""
    return [*find_violations(api, body), *find_remarks(body)]


def find_remarks(body: object) -> list[str]:
    """Returns one line if a response has numbers or booleans that should be JSON strings (규격 첨부2), else none."""
    path = _find_unquoted("$", body)
    return [f"{path}: should be a JSON string, like all values"] if path else []


def _find_unquoted(path: str, value: object) -> str:
    """Returns the path of the first number or boolean, "" for none."""
    if isinstance(value, dict):
        inner = ((f"{path}.{name}", member) for name, member in value.items())
    elif isinstance(value, list):
        inner = ((f"{path}[{index}]", member) for index, member in enumerate(value))
    else:
        return path if isinstance(value, int | float) else ""
    return next(filter(None, (_find_unquoted(place, member) for place, member in inner)), "")


def _check_object(path: str, fields: tuple[Field, ...], members: Mapping[str, object]) -> Iterator[str]:
    known = {field.name for field in fields}
    for name in members:
        if name not in known:
            yield f"{path}.{name}: is not a field of this response"
    for field in fields:
        field_path = f"{path}.{field.name}"
        if field.name not in members:
            if field.presence is Presence.REQUIRED:
                yield f"{field_path}: is missing"
        elif field.type == "array":
            yield from _check_array(field_path, field, members[field.name])
        else:
            yield from _check_scalar(field_path, field, members[field.name])
    yield from _check_counts(path, known, members)


def _check_array(field_path: str, field: Field, value: object) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{field_path}: must be an array"
        return
    if not value and field.presence is not Presence.REQUIRED:
        yield f"{field_path}: is empty and must be left out"
    for index, member in enumerate(value):
        if isinstance(member, dict):
            yield from _check_object(f"{field_path}[{index}]", field.fields, member)
        else:
            yield f"{field_path}[{index}]: must be an object"


def _check_scalar(field_path: str, field: Field, value: object) -> Iterator[str]:
    if value is None or value == "":
        yield f"{field_path}: has no value and must be left out"
    elif not is_value(field, _to_text(value)):
        yield f"{field_path}: must be {describe_type(field)}"


def _to_text(value: object) -> str:
    """Returns the text that a JSON value stands for, "" for lists and objects."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, int | float) else ""


def _check_counts(path: str, known: set[str], members: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(known):
        stem, is_count, _ = name.rpartition("_cnt")
        rows = members.get(f"{stem}_list")
        count = _to_text(members.get(name))
        if is_count and isinstance(rows, list) and _is_small(count) and int(count) != len(rows):
            yield f"{path}.{name}: is not the number of {stem}_list"


def _is_small(count: str) -> bool:
    """Returns whether a text is a number that can be a count; any other breaks the rule of its type."""
    return count.isascii() and count.isdigit() and len(count) <= _COUNT_DIGITS
