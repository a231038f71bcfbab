"""Validates the body of a response against the catalogue."""

from collections.abc import Iterator, Mapping
from typing import Final

from mydata_sandbox.checks.field_types import describe_type, is_value
from relay.domain.api import Api, Field, Presence

_SUCCESS: Final = "00000"
_ALWAYS: Final = frozenset({"rsp_code", "rsp_msg"})


def find_violations(api: Api, body: object) -> list[str]:
    """Returns the violations of the standard in a response's JSON body, one line each with its JSON path.

    Checked are required fields, types, lengths, code tables, JSON strings everywhere (규격 첨부2), no null and no empty
    value, `xxx_cnt` against `xxx_list`, and unknown fields. A response whose rsp_code is not 00000 may hold only
    rsp_code and rsp_msg (규격 첨부1). The lines contain names and rules, never values.
    """
    if not isinstance(body, dict):
        return ["$: must be an object"]
    fields = api.response.body
    code = body.get("rsp_code", _SUCCESS)
    if code != _SUCCESS and any(field.name == "rsp_code" for field in fields):
        fields = tuple(field for field in fields if field.name in _ALWAYS)
    return list(_check_object("$", fields, body))


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
    elif not isinstance(value, str):
        yield f"{field_path}: must be a JSON string"
    elif not is_value(field, value):
        yield f"{field_path}: must be {describe_type(field)}"


def _check_counts(path: str, known: set[str], members: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(known):
        stem, is_count, _ = name.rpartition("_cnt")
        rows = members.get(f"{stem}_list")
        if is_count and name in members and isinstance(rows, list) and members[name] != str(len(rows)):
            yield f"{path}.{name}: is not the number of {stem}_list"
