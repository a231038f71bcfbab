"""An answer held against the catalogue: what a provider or the street's provider got wrong, in words."""

from collections.abc import Iterator, Mapping
from typing import Final

from relay.domain.api import Api, Field, Presence
from relay.policy.call.fields import allowed, check_of

_SUCCESS: Final = "00000"
_ALWAYS: Final = frozenset({"rsp_code", "rsp_msg"})


def faults_of(api: Api, body: object) -> list[str]:
    """What is wrong with an answer's JSON body, one line per fault with its JSON path; empty when it is true.

    Looked at: required fields, types, lengths, code tables, JSON strings everywhere (규격 첨부2), no null and no empty
    value, `xxx_cnt` against `xxx_list`, unknown fields. An answer whose rsp_code is not 00000 holds rsp_code and
    rsp_msg alone (규격 첨부1). The lines tell names and rules, never values.
    """
    if not isinstance(body, dict):
        return ["$: must be an object"]
    fields = api.response.body
    code = body.get("rsp_code", _SUCCESS)
    if code != _SUCCESS and any(field.name == "rsp_code" for field in fields):
        fields = tuple(field for field in fields if field.name in _ALWAYS)
    return list(_object("$", fields, body))


def _object(path: str, fields: tuple[Field, ...], found: Mapping[str, object]) -> Iterator[str]:
    known = {field.name for field in fields}
    for name in found:
        if name not in known:
            yield f"{path}.{name}: is not a field of this answer"
    for field in fields:
        where = f"{path}.{field.name}"
        if field.name not in found:
            if field.presence is Presence.REQUIRED:
                yield f"{where}: is missing"
        elif field.type == "array":
            yield from _array(where, field, found[field.name])
        else:
            yield from _scalar(where, field, found[field.name])
    yield from _counts(path, known, found)


def _array(where: str, field: Field, value: object) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where}: must be an array"
        return
    if not value and field.presence is not Presence.REQUIRED:
        yield f"{where}: is empty and must be left out"
    for index, member in enumerate(value):
        if isinstance(member, dict):
            yield from _object(f"{where}[{index}]", field.fields, member)
        else:
            yield f"{where}[{index}]: must be an object"


def _scalar(where: str, field: Field, value: object) -> Iterator[str]:
    if value is None or value == "":
        yield f"{where}: has no value and must be left out"
    elif not isinstance(value, str):
        yield f"{where}: must be a JSON string"
    elif not check_of(field)(value):
        yield f"{where}: must be {'one of ' if field.codes else ''}{allowed(field)}"


def _counts(path: str, known: set[str], found: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(known):
        stem, is_count, _ = name.rpartition("_cnt")
        listed = found.get(f"{stem}_list")
        if is_count and name in found and isinstance(listed, list) and found[name] != str(len(listed)):
            yield f"{path}.{name}: is not the number of {stem}_list"
