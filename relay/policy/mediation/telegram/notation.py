"""Notation of fields: one line per field, as in the table of a telegram's specification, or a section.

A line is `NAME TYPE(LENGTH) WORDS`: `amount amount(15,2) sign leading`. Words, in any order:

- `= VALUE`: a constant, or `$NAME`, a value of the context or a parameter of the call; it ends the line. Requests have
  this value; responses must have the constant, and the same parameters, code and unique number as their request;
- `at N`: the offset from the start of the message or row; without it a field follows the one before it;
- `left`, `right`: alignment; `pad blank`, `pad zero`, `pad nul`: padding;
- `sign leading`, `sign trailing`: a byte `+` or `-` of an amount; `unsigned`: packed or binary without sign;
- `little`: a binary number begins with its lowest byte;
- `zero blank`: a value of zeros is none.

As a section a field may have `blank`, the values that stand for none: `{name: end, type: date, blank: ['99999999']}`.

`filler(30)` is a filler of 30 bytes. Names may be Hangul, as in the bank's own specification.
"""

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from relay.policy.settings.scalars import Section, build_error

NAME: Final = r"^[A-Za-z_가-힣][A-Za-z0-9_가-힣-]{0,63}$"
MAX_LENGTH: Final = 65_536
TYPES: Final = (
    "an", "n", "ah", "amount", "decimal", "packed", "zoned", "binary", "date", "time", "datetime", "filler",
)  # fmt: skip
DEFAULT_LENGTHS: Final = {"date": 8, "time": 6, "datetime": 14}
_SYNONYMS: Final = {"text": "ah", "dtime": "datetime", "comp3": "packed", "comp-3": "packed"}
_LINE: Final = re.compile(
    r"(?:(?P<name>[A-Za-z_가-힣][A-Za-z0-9_가-힣-]*)\s+)?(?P<type>[A-Za-z][A-Za-z0-9-]*)"
    r"(?:\(\s*(?P<length>\d{1,6})\s*(?:,\s*(?P<decimals>\d{1,2})\s*)?\))?"
    r"(?P<words>(?:\s+[a-z0-9]+)*)(?:\s*=\s?(?P<value>.*))?"
)
_FORM: Final = "NAME TYPE(LENGTH) [at N] [left|right] [pad blank|zero|nul] [sign leading|trailing] [= VALUE]"
_PAIRS: Final[dict[str, dict[str, tuple[str, str | bool]]]] = {
    "pad": {"blank": ("pad", "blank"), "zero": ("pad", "zero"), "nul": ("pad", "nul")},
    "sign": {"leading": ("sign", "leading"), "trailing": ("sign", "trailing")},
    "zero": {"blank": ("zero_blank", True)},
}
_SINGLES: Final[dict[str, tuple[str, str | bool]]] = {
    "left": ("align", "left"),
    "right": ("align", "right"),
    "unsigned": ("unsigned", True),
    "little": ("little", True),
}

Name = Annotated[
    str, StringConstraints(pattern=NAME), Field(description="a name of letters (Hangul too), digits, _ and -")
]
Code = Annotated[str, StringConstraints(max_length=200), Field(description="a code in quotes")]


def _apply_words(words: list[str], values: dict[str, Any]) -> str:
    """Adds the options of a line to `values`. Returns the first word that is wrong, "" for none."""
    rest = iter(words)
    for word in rest:
        if word == "at":
            number = next(rest, "")
            if not number.isdigit():
                return word
            values["at"] = int(number)
        elif word in _PAIRS:
            pair = _PAIRS[word].get(next(rest, ""))
            if pair is None:
                return word
            values[pair[0]] = pair[1]
        elif word in _SINGLES:
            values[_SINGLES[word][0]] = _SINGLES[word][1]
        else:
            return word
    return ""


def parse_line(line: str) -> dict[str, Any]:
    """Returns the section of a line. Raises PydanticCustomError with the form of a line."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise build_error("", "is not the line of a field", _FORM)
    kind = match["type"].lower()
    values: dict[str, Any] = {"type": _SYNONYMS.get(kind, kind)}
    if values["type"] not in TYPES:
        raise build_error("", "names an unknown type", "one of " + ", ".join(TYPES))
    if match["name"]:
        values["name"] = match["name"]
    for key in ("length", "decimals"):
        if match[key]:
            values[key] = int(match[key])
    if match["value"] is not None:
        values["value"] = match["value"].strip().strip("'\"")
    if wrong := _apply_words(match["words"].split(), values):
        raise build_error("", f"has the unknown or incomplete word {wrong}", _FORM)
    return values


def to_tuple(value: Any) -> Any:
    """Returns a list as a tuple: strict models do not take lists in sections that may also be text."""
    return tuple(value) if isinstance(value, list) else value


def _read_item(value: Any) -> Any:
    return parse_line(value) if isinstance(value, str) else value


class Item(Section):
    """A field, a group of rows (`list`), or the part at the end that may be absent (`optional`).

    A group has `fields` and is counted by the field `count`, has a fixed number of rows (`times`), or both: space for
    `times` rows of which `count` are used. Without `count` blank rows at the end of a fixed group are none.
    """

    name: Name | None = None
    type: Literal[TYPES] | None = None  # type: ignore[valid-type]  # the names of one tuple
    length: Annotated[int, Field(ge=1, le=MAX_LENGTH)] | None = None
    decimals: Annotated[int, Field(ge=0, le=18)] = 0
    at: Annotated[int, Field(ge=0, le=1_048_576)] | None = None
    align: Literal["left", "right"] | None = None
    pad: Literal["blank", "zero", "nul"] | None = None
    sign: Literal["leading", "trailing"] | None = None
    unsigned: bool = False
    little: bool = False
    zero_blank: bool = False
    blank: Annotated[tuple[Code, ...], Field(max_length=8), BeforeValidator(to_tuple)] = ()
    value: Code | None = None
    codes: dict[str, Code] = Field(default={})
    default: Code | None = None
    list: Name | None = None
    count: Name | None = None
    times: Annotated[int, Field(ge=1, le=10_000)] | None = None
    max: Annotated[int, Field(ge=1, le=100_000)] | None = None
    fields: "Items" = ()
    optional: "Items" = ()

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        if self.optional or self.list is not None:
            return self._check_part()
        if self.type is None:
            raise build_error("type", "is missing", "one of " + ", ".join(TYPES) + ", or a list with its fields")
        if self.type != "filler" and self.name is None:
            raise build_error("name", "is missing", "the name of the field")
        if self.length is None and self.type not in DEFAULT_LENGTHS:
            raise build_error("length", "is missing", "the length in bytes")
        return self

    def _check_part(self) -> Self:
        if self.list is not None and not self.fields:
            raise build_error("fields", "is missing", "the fields of a row")
        if self.list is not None and self.count is None and self.times is None:
            raise build_error("count", "is missing", "the field with the number of rows, or times")
        if self.type is not None or (self.optional and self.list is not None):
            raise build_error("", "is both a field and a part", "a field, a list, or an optional part")
        return self

    @property
    def bytes(self) -> int:
        """The length of the field in bytes."""
        return self.length or DEFAULT_LENGTHS.get(self.type or "", 0)


ItemEntry = Annotated[Item, BeforeValidator(_read_item, json_schema_input_type=Item | str)]
Items = Annotated[tuple[ItemEntry, ...], BeforeValidator(to_tuple)]
"""Items in their order."""

Item.model_rebuild()
