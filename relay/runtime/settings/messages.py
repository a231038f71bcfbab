"""Turns pydantic's errors into problems: what is wrong, and what the model's JSON Schema allows."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from relay.runtime.settings.problems import SettingsProblem, format_key

KeyPath = tuple[str | int, ...]
"""The path of a value: keys and list indexes from the top of the file."""

_WRONG: Final = {
    "missing": "is missing",
    "string_type": "is not text",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "float_type": "is not a number",
    "bool_type": "is neither true nor false",
    "enum": "is not one of the choices",
    "literal_error": "is not one of the choices",
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "less_than": "is too large",
    "less_than_equal": "is too large",
    "string_too_long": "is too long",
    "string_too_short": "is too short",
    "too_long": "has too many entries",
    "too_short": "has too few entries",
    "model_type": "is not a section",
    "tuple_type": "is not a list",
    "frozen_set_type": "is not a list",
    "json_invalid": "contains a lone surrogate",
}
_INVALID: Final = "is not valid"
"""What is wrong for every other type of error."""

_NUMBERS: Final = {"boolean": "true or false", "integer": "a whole number", "number": "a number"}


@cache
def get_schema(model: type[BaseModel]) -> Mapping[str, Any]:
    """Returns the JSON Schema of a settings model. It is cached and must not be changed."""
    return model.model_json_schema()


def get_schema_node(model: type[BaseModel], key_path: Iterable[str | int]) -> Mapping[str, Any] | None:
    """Returns the schema of one key of a model, without references and `null`; None for an unknown key."""
    schema = get_schema(model)
    node: Mapping[str, Any] | None = schema
    for part in key_path:
        if node is None:
            return None
        child = node.get("items") if isinstance(part, int) else _get_property(node, str(part))
        node = None if child is None else _resolve(schema, child)
    return node


def _get_property(node: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Returns the schema of a key of a section, or of all keys of a mapping with free names."""
    names = node.get("additionalProperties")
    child: Mapping[str, Any] | None = node.get("properties", {}).get(name, names if isinstance(names, dict) else None)
    return child


def _resolve(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    if "anyOf" in node:
        node = next(choice for choice in node["anyOf"] if choice.get("type") != "null")
    if "$ref" in node:
        definition: Mapping[str, Any] = schema["$defs"][node["$ref"].rpartition("/")[2]]
        return definition
    return node


def find_leaves(
    model: type[BaseModel], key_path: KeyPath = (), outer: frozenset[int] = frozenset()
) -> Iterator[KeyPath]:
    """Yields every key path of a model that holds a value or a list of values; index 0 stands for lists of sections.

    Sections within sections of the same kind, whose schemas are in `outer`, are left out.
    """
    node = get_schema_node(model, key_path) or {}
    if id(node) in outer:
        return
    if "properties" in node:
        for name in node["properties"]:
            yield from find_leaves(model, (*key_path, name), outer | {id(node)})
    elif node.get("type") == "array" and "properties" in (get_schema_node(model, (*key_path, 0)) or {}):
        yield from find_leaves(model, (*key_path, 0), outer)
    else:
        yield key_path


def describe_allowed(node: Mapping[str, Any]) -> str:
    """Returns words for what a key may hold."""
    if "enum" in node:
        return "one of " + ", ".join(str(choice) for choice in node["enum"])
    if "properties" in node:
        return "a section with the keys " + ", ".join(node["properties"])
    kind = node.get("type")
    if kind == "array":
        return "a list of " + _count(node) + _entries(node)
    if kind in _NUMBERS:
        return _NUMBERS[kind] + _range(node)
    longest = f", at most {node['maxLength']} characters" if "maxLength" in node else ""
    return str(node.get("description", "text")) + longest


def _range(node: Mapping[str, Any]) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if "exclusiveMinimum" in node:
        return f" above {node['exclusiveMinimum']}" + ("" if high is None else f" and at most {high}")
    return "" if low is None else f", at least {low}"


def _count(node: Mapping[str, Any]) -> str:
    low, high = node.get("minItems", 0), node.get("maxItems")
    if high is not None:
        return f"{low} to {high} "
    return f"at least {low} " if low else ""


def _entries(node: Mapping[str, Any]) -> str:
    items = node.get("items", {})
    return "sections" if "$ref" in items else f"entries ({describe_allowed(items)})"


def find_nearest(name: str, known_names: Iterable[str]) -> str:
    """Returns the known name most similar to `name`, "" if none is similar."""
    matches = difflib.get_close_matches(name, list(known_names), n=1)
    return matches[0] if matches else ""


def build_problems(
    error: ValidationError, model: type[BaseModel], file: str, variables: Mapping[KeyPath, str]
) -> list[SettingsProblem]:
    """Returns the problems of one validation. `variables` names the environment variable that set a key path.

    A problem of such a key names the variable. No problem repeats a value; unknown keys are repeated.
    """
    details = error.errors(include_url=False, include_input=False)
    key_paths = [tuple(detail["loc"]) for detail in details]
    problems = []
    for detail, key_path in zip(details, key_paths, strict=True):
        has_bad_entry = any(len(other) > len(key_path) and other[: len(key_path)] == key_path for other in key_paths)
        if detail["type"] == "too_short" and has_bad_entry:
            continue  # pydantic does not count invalid entries; they have problems of their own
        key, wrong, allowed = _describe(detail, key_path, model)
        variable = variables.get(key_path)
        problems.append(SettingsProblem("environment" if variable else file, variable or key, wrong, allowed))
    return problems


def _describe(detail: Mapping[str, Any], key_path: KeyPath, model: type[BaseModel]) -> tuple[str, str, str]:
    """Returns key, what is wrong and what is allowed for one error of pydantic."""
    kind = detail["type"]
    if kind == "settings_error":  # scalars.build_error
        context = detail["ctx"]
        return ".".join(filter(None, (format_key(key_path), context["key"]))), context["wrong"], context["allowed"]
    if kind == "extra_forbidden":
        return format_key(key_path), *_describe_unknown(key_path, model)
    node = get_schema_node(model, key_path)
    allowed = describe_allowed(node) if node is not None else ""
    if kind == "string_type" and "quotes" not in allowed:
        allowed += ", a number in quotes"
    return format_key(key_path), _WRONG.get(kind, _INVALID), allowed


def _describe_unknown(key_path: KeyPath, model: type[BaseModel]) -> tuple[str, str]:
    known_names = (get_schema_node(model, key_path[:-1]) or {}).get("properties", {})
    name = str(key_path[-1])
    nearest = find_nearest(name, known_names)
    if not nearest:
        nearest = next((format_key(leaf) for leaf in find_leaves(model) if leaf[-1] == name), "")
    wrong = f"is unknown (did you mean {nearest}?)" if nearest else "is unknown"
    return wrong, "one of " + ", ".join(known_names)
