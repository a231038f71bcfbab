"""Pydantic's complaints in plain words: what is wrong, and what is allowed, read from the model's JSON Schema."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from relay.runtime.settings.problems import Problem, dotted

Place = tuple[str | int, ...]
"""Where a value stands: names and list indexes from the top of the file."""

_WRONG: Final = {
    "missing": "is missing",
    "string_type": "is not text",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "float_type": "is not a number",
    "bool_type": "is neither true nor false",
    "enum": "is none of the choices",
    "literal_error": "is none of the choices",
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
    "json_invalid": "holds half a character",
    "value_error": "does not fit",
    "string_pattern_mismatch": "does not fit",
}
_NUMBERS: Final = {"boolean": "true or false", "integer": "a whole number", "number": "a number"}


@cache
def schema_of(model: type[BaseModel]) -> Mapping[str, Any]:
    """JSON Schema of a settings model; the same object each time, not to be changed."""
    return model.model_json_schema()


def node_at(model: type[BaseModel], place: Iterable[str | int]) -> Mapping[str, Any] | None:
    """The schema of one place of a model, references followed and `null` left aside; None when it is unknown."""
    schema = schema_of(model)
    node: Mapping[str, Any] | None = schema
    for part in place:
        if node is None:
            return None
        found = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
        node = None if found is None else _followed(schema, found)
    return node


def _followed(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    if "anyOf" in node:
        node = next(choice for choice in node["anyOf"] if choice.get("type") != "null")
    if "$ref" in node:
        found: Mapping[str, Any] = schema["$defs"][node["$ref"].rpartition("/")[2]]
        return found
    return node


def leaves(model: type[BaseModel], place: Place = ()) -> Iterator[Place]:
    """Every place of a model that holds a plain value or a list of them; lists of sections count with index 0."""
    node = node_at(model, place) or {}
    if "properties" in node:
        for name in node["properties"]:
            yield from leaves(model, (*place, name))
    elif node.get("type") == "array" and "properties" in (node_at(model, (*place, 0)) or {}):
        yield from leaves(model, (*place, 0))
    else:
        yield place


def allowed(node: Mapping[str, Any]) -> str:
    """What may stand at a place, in words."""
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
    return "sections" if "$ref" in items else f"entries ({allowed(items)})"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like `name`, "" when none is."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return close[0] if close else ""


def problems_of(error: ValidationError, model: type[BaseModel], file: str, named: Mapping[Place, str]) -> list[Problem]:
    """The problems of one validation. `named` gives the environment variables that set a place; they are shown instead.

    Nothing the writer wrote is repeated but the names of unknown keys.
    """
    found = error.errors(include_url=False, include_input=False)
    places = [tuple(each["loc"]) for each in found]
    problems = []
    for each, place in zip(found, places, strict=True):
        inside = any(len(other) > len(place) and other[: len(place)] == place for other in places)
        if each["type"] == "too_short" and inside:
            continue  # its entries are there, they only do not fit
        key, wrong, fits = _told(each, place, model)
        variable = named.get(place)
        problems.append(Problem("environment", variable, wrong, fits) if variable else Problem(file, key, wrong, fits))
    return problems


def _told(each: Mapping[str, Any], place: Place, model: type[BaseModel]) -> tuple[str, str, str]:
    kind = each["type"]
    if kind == "refused":
        context = each["ctx"]
        return ".".join(filter(None, (dotted(place), context["key"]))), context["wrong"], context["allowed"]
    if kind == "extra_forbidden":
        return dotted(place), *_unknown(place, model)
    node = node_at(model, place)
    fits = allowed(node) if node is not None else ""
    if kind == "string_type" and "quotes" not in fits:
        fits += ", a number in quotes"
    return dotted(place), _WRONG.get(kind, "does not fit"), fits


def _unknown(place: Place, model: type[BaseModel]) -> tuple[str, str]:
    known = (node_at(model, place[:-1]) or {}).get("properties", {})
    name = str(place[-1])
    near = nearest(name, known)
    if not near:
        near = next((dotted(leaf) for leaf in leaves(model) if leaf[-1] == name), "")
    wrong = f"is not known, perhaps {near} is meant" if near else "is not known"
    return wrong, "known keys: " + ", ".join(known)
