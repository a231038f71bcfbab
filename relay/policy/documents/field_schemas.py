"""JSON Schemas of fields and messages by the types of 첨부2. A request that they allow passes the relay's check."""

from collections.abc import Iterable
from typing import Any, Final

from relay.domain.api import SUCCESS, Api, Field, Presence
from relay.policy.call.fields import (
    BASE64_PATTERN,
    CALENDAR_PATTERNS,
    CHARACTER_CLASSES,
    build_number_pattern,
    get_checked_type,
    get_max_length,
)
from relay.policy.documents.source import get_code

Schema = dict[str, Any]

LIMIT_PATTERN: Final = "^(?:0{0,2}[1-9]|0?[1-9][0-9]|[1-4][0-9]{2}|500)$"
"""`limit`, 1 to 500, as `compile_parameter_check` accepts it."""

_TYPE_NAMES: Final = {
    "N": "정수",
    "F": "실수(전체 자릿수, 소수점 이하 자릿수)",
    "AH": "문자열, 길이는 UTF-8 바이트 수",
    "A": "영문 대문자",
    "a": "영문 소문자",
    "AN": "영문 대문자와 숫자",
    "aN": "영문과 숫자",
    "aNS": "영문, 숫자, 특수문자",
    "NS": "숫자와 특수문자",
    "B64": "base64",
    "DATE": "YYYYMMDD",
    "DTIME": "YYYYMMDDhhmmss",
    "DTIME|DATE": "YYYYMMDDhhmmss 또는 YYYYMMDD",
    "Boolean": "true 또는 false",
}


def build_field_schema(field: Field) -> Schema:
    """Returns the schema of a field. Values are JSON strings whatever their type, lists are arrays (첨부2).

    `x-mydata-type` is the type in the standard's notation. JSON Schema counts characters: the length of AH, which
    counts bytes, is in `x-max-bytes` too.
    """
    if field.type == "array":
        items = build_object_schema(field.fields)
        return {"type": "array", "title": field.label, **_describe(field), "items": items}
    return {
        "type": "string",
        "title": field.label,
        **_describe(field),
        "x-mydata-type": _write_type(field),
        **_build_limits(field),
    }


def build_object_schema(fields: Iterable[Field], *, is_closed: bool = False) -> Schema:
    """Returns the schema of an object with these fields; `is_closed` allows no others."""
    members = tuple(fields)
    required = [field.name for field in members if field.presence is Presence.REQUIRED]
    schema: Schema = {"type": "object", "properties": {field.name: build_field_schema(field) for field in members}}
    if required:
        schema["required"] = required
    if is_closed:
        schema["additionalProperties"] = False
    counts = _list_counts(members)
    return schema | ({"description": counts} if counts else {})


def build_request_schema(api: Api) -> Schema:
    """Returns the schema of a request's body. Other fields than those of the standard are not in it."""
    return {"title": f"{api.name} 요청 ({get_code(api)})"} | build_object_schema(api.request.body, is_closed=True)


def build_response_schema(api: Api) -> Schema:
    """Returns the schema of the body of a successful response: `rsp_code` is 00000 unless the standard lists others."""
    schema = build_object_schema(api.response.body)
    code = schema["properties"].get("rsp_code")
    if code is not None and "enum" not in code:
        code["enum"] = [SUCCESS]
    return {"title": f"{api.name} 응답 ({get_code(api)})"} | schema


def _build_limits(field: Field) -> Schema:
    kind = get_checked_type(field)
    if field.codes or kind == "Boolean":
        return {"enum": list(field.codes) or ["true", "false"]}
    if field.name == "limit":
        return {"pattern": LIMIT_PATTERN, "minLength": 1, "maxLength": 3}
    if kind in CALENDAR_PATTERNS:
        return {"pattern": f"^(?:{CALENDAR_PATTERNS[kind]})$", **_build_calendar_lengths(kind)}
    lengths = {"minLength": 1, "maxLength": get_max_length(kind, field.length)}
    if kind == "AH":
        return {**lengths, "x-max-bytes": int(field.length)}
    return {"pattern": f"^{_build_pattern(kind, field.length)}$", **lengths}


def _build_pattern(kind: str, length: str) -> str:
    if kind in {"N", "F"}:
        return build_number_pattern(kind, length)
    return BASE64_PATTERN if kind == "B64" else f"{CHARACTER_CLASSES[kind]}+"


def _build_calendar_lengths(kind: str) -> Schema:
    shortest, longest = {"DATE": (8, 8), "DTIME": (14, 14), "DTIME|DATE": (8, 14), "month": (6, 6)}[kind]
    return {"minLength": shortest, "maxLength": longest}


def _write_type(field: Field) -> str:
    return f"{field.type}({field.length})" if field.length else field.type


def _describe(field: Field) -> Schema:
    """Returns the description: the type in words, the codes with their meanings, the condition of presence."""
    parts = []
    if field.type != "array":
        parts.append(f"{_write_type(field)}: {_TYPE_NAMES[field.type]}.")
    if field.presence is Presence.CONDITIONAL:
        parts.append(f"조건부 필수: {field.condition}.")
    elif field.condition:
        parts.append(f"{field.condition}.")
    if field.codes:
        parts.append("코드: " + ", ".join(f"`{code}` {meaning}" for code, meaning in field.codes.items()) + ".")
    return {"description": " ".join(parts)} if parts else {}


def _list_counts(fields: tuple[Field, ...]) -> str:
    """Returns the sentence that names each count and the list that it counts."""
    names = {field.name for field in fields}
    stems = [name.removesuffix("_cnt") for name in names if name.endswith("_cnt")]
    pairs = sorted(stem for stem in stems if f"{stem}_list" in names)
    return " ".join(f"{stem}_cnt는 {stem}_list의 개수입니다." for stem in pairs)
