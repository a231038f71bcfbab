"""Notation of fields of JSON: one line for each, as for telegrams, or a section.

A line is `NAME TYPE(LENGTH) WORDS`: `paidOn date YYYY.MM.DD at payment.date`. Words, in any order:

- `at PATH`: where the value is, names with dots between them; without it the field has its own name. `$` is the body;
- the form of a date, time or moment: `YYYY-MM-DD`, `hh:mm`, `iso`, `epoch_s`, `epoch_ms`;
- `commas`, the form of a decimal that is a text with commas between thousands;
- `= VALUE`: a constant, or `$NAME`, a value of the context or a parameter of the call; it ends the line. Requests have
  this value; responses must repeat it.

Lengths are characters, those of numbers digits: `decimal(18,3)` has 18 digits, 3 of them decimals. Without a length
each value is compared with the field of the standard.
"""

import re
from collections.abc import Collection
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from relay.policy.mediation.json_api.forms import describe_forms, is_form
from relay.policy.mediation.telegram.notation import MAX_LENGTH, Code, Name, to_tuple
from relay.policy.settings.scalars import Section, build_error

TYPES: Final = ("an", "n", "ah", "decimal", "boolean", "date", "time", "datetime", "month")
CALENDAR_TYPES: Final = ("date", "time", "datetime", "month")

COMMAS: Final = "commas"
"""The form of decimals as `1,234.50`."""

_FIELD_KEYS: Final = ("length", "decimals", "form", "value", "codes", "default")
_LIST_KEYS: Final = ("max", "optional", "fields")

_SYNONYMS: Final = {"text": "ah", "number": "decimal", "dtime": "datetime", "bool": "boolean"}
_PATH_PART: Final = r"[A-Za-z0-9_가-힣@#-]{1,64}"
_LINE: Final = re.compile(
    r"(?P<name>[A-Za-z_가-힣][A-Za-z0-9_가-힣-]*)\s+(?P<type>[A-Za-z]+)"
    r"(?:\(\s*(?P<length>\d{1,6})\s*(?:,\s*(?P<decimals>\d{1,2})\s*)?\))?"
    r"(?P<words>(?:\s+[^\s=]+)*)(?:\s*=\s?(?P<value>.*))?"
)
_FORM: Final = "NAME TYPE(LENGTH) [FORM] [at PATH] [= VALUE]"

Path = Annotated[
    str,
    StringConstraints(pattern=rf"^\$$|^{_PATH_PART}(\.{_PATH_PART}){{0,9}}$"),
    Field(description="names with dots between them, for example data.items, or $ for the body"),
]


def _apply_words(words: list[str], values: dict[str, Any]) -> str:
    """Adds the options of a line to `values`. Returns the first word that is wrong, "" for none."""
    rest = iter(words)
    for word in rest:
        if word == "at":
            values["at"] = next(rest, "")
            if not values["at"]:
                return word
        elif word == COMMAS or is_form(word):
            values["form"] = word
        else:
            return word
    return ""


def parse_line(line: str) -> dict[str, Any]:
    """Returns the section of a line. Raises PydanticCustomError with the form of a line."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise build_error("", "is not the line of a field", _FORM)
    kind = match["type"].lower()
    values: dict[str, Any] = {"name": match["name"], "type": _SYNONYMS.get(kind, kind)}
    if values["type"] not in TYPES:
        raise build_error("", "names an unknown type", "one of " + ", ".join(TYPES))
    for key in ("length", "decimals"):
        if match[key]:
            values[key] = int(match[key])
    if match["value"] is not None:
        values["value"] = match["value"].strip().strip("'\"")
    if wrong := _apply_words(match["words"].split(), values):
        raise build_error("", f"has the unknown or incomplete word {wrong}", _FORM)
    return values


def _read_item(value: Any) -> Any:
    return parse_line(value) if isinstance(value, str) else value


class JsonItem(Section):
    """A field, or a list of objects (`list`) with their `fields`; paths of these begin at the object.

    `optional` allows a list to be absent or null: it has no rows then. A list has at most `max` rows.
    """

    name: Name | None = None
    type: Literal[TYPES] | None = None  # type: ignore[valid-type]  # the names of one tuple
    length: Annotated[int, Field(ge=1, le=MAX_LENGTH)] | None = None
    decimals: Annotated[int, Field(ge=0, le=18)] = 0
    form: Annotated[str, StringConstraints(max_length=40)] | None = None
    at: Path | None = None
    value: Code | None = None
    codes: dict[str, Code] = Field(default={})
    default: Code | None = None
    list: Name | None = None
    max: Annotated[int, Field(ge=1, le=10_000)] = 999
    optional: bool = False
    fields: "JsonItems" = ()

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        if self.list is not None:
            if not self.fields:
                raise build_error("fields", "is missing", "the fields of a row")
            if self.type is not None or self.name is not None:
                raise build_error("", "is both a field and a list", "a field, or a list")
            self._check_unused(_FIELD_KEYS, "a list")
            return self
        self._check_unused(_LIST_KEYS, "a field")
        if self.name is None or self.type is None:
            missing = "name" if self.name is None else "type"
            allowed = "the name of the field" if self.name is None else "one of " + ", ".join(TYPES)
            raise build_error(missing, "is missing", allowed)
        if self.length is not None and self.type in {"boolean", *CALENDAR_TYPES}:
            raise build_error("length", f"is set, but a {self.type} has none", "no length")
        if self.decimals and (self.type != "decimal" or self.decimals >= (self.length or 0)):
            raise build_error("decimals", "does not fit", "decimals of a decimal, fewer than its digits")
        if self.form is not None and not self._has_own_form():
            allowed = COMMAS if self.type == "decimal" else describe_forms(self.type)
            raise build_error("form", f"does not fit the type {self.type}", allowed)
        return self

    def _check_unused(self, keys: Collection[str], kind: str) -> None:
        """Raises an error for a key that this kind of item does not have."""
        for key in keys:
            if key in self.model_fields_set:
                raise build_error(key, f"is set, but this is {kind}", "no such key")

    def _has_own_form(self) -> bool:
        if self.type == "decimal":
            return self.form == COMMAS
        return self.type in CALENDAR_TYPES and is_form(self.form or "", self.type)

    @property
    def keys(self) -> tuple[str, ...]:
        """The names on the way to the value; none for the body itself."""
        path = self.at or self.name or self.list or ""
        return () if path == "$" else tuple(path.split("."))


JsonEntry = Annotated[JsonItem, BeforeValidator(_read_item, json_schema_input_type=JsonItem | str)]
JsonItems = Annotated[tuple[JsonEntry, ...], BeforeValidator(to_tuple)]
"""Fields and lists."""

JsonItem.model_rebuild()
