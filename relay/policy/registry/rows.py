"""Rows of the portal's lists, read one value at a time; every invalid value is reported with its place.

The standard writes every JSON value as a string; first-generation senders write numbers, booleans, null and "" for
missing values (core 0). All of them are accepted. An invalid value is never repeated: it could be a secret.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

MAX_LISTED: Final = 100
"""Maximum number of problems listed one by one; the others are counted."""


class InvalidBody(Exception):
    """An invalid body of the portal. `problems` are the listed ones, `count` is the number of all."""

    def __init__(self, problems: tuple[str, ...], count: int) -> None:
        super().__init__(problems, count)
        self.problems = problems
        self.count = count

    def __str__(self) -> str:
        more = self.count - len(self.problems)
        listed = "; ".join(self.problems)
        return f"{listed}; and {more} more" if more else listed


@dataclass(slots=True)
class Problems:
    """Problems of one body."""

    listed: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, place: str, rule: str) -> None:
        """Adds a problem at a place such as `org_list[17] (ZOPA000001).serial_num`."""
        self.count += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(f"{place}: {rule}")

    def raise_if_any(self) -> None:
        """Raises InvalidBody when there are problems."""
        if self.count:
            raise InvalidBody(tuple(self.listed), self.count)


@dataclass(frozen=True, slots=True)
class TextFormat:
    """Format of a text: a pattern for all of it, its maximum number of bytes, and both in words."""

    pattern: re.Pattern[str]
    max_bytes: int
    words: str

    def matches(self, value: str) -> bool:
        """Returns whether a value has this format."""
        return self.pattern.fullmatch(value) is not None and len(value.encode("utf-8", "replace")) <= self.max_bytes


@dataclass(frozen=True, slots=True)
class Row:
    """One JSON object of a body and its place in it ("" for the body itself)."""

    place: str
    values: Mapping[str, Any] = field(repr=False)
    problems: Problems = field(repr=False)

    def place_of(self, name: str) -> str:
        """Returns the place of one of its values."""
        return f"{self.place}.{name}" if self.place else name

    def add_problem(self, name: str, rule: str) -> None:
        """Adds a problem with a value of this row."""
        self.problems.add(self.place_of(name), rule)

    def has(self, name: str) -> bool:
        """Returns whether there is a value: null and "" are none."""
        return self.values.get(name) not in (None, "")

    def text(self, name: str, text_format: TextFormat) -> str:
        """Returns a value of this format, "" when it is missing or invalid; adds a problem when it is invalid."""
        value = self.values.get(name)
        if value is None or value == "":
            return ""
        text = str(value) if type(value) is int else value
        if isinstance(text, str) and text_format.matches(text):
            return text
        self.add_problem(name, text_format.words)
        return ""

    def required(self, name: str, text_format: TextFormat, why: str = "") -> str:
        """Returns a required value, "" with a problem when it is missing or invalid. `why` is added to the problem."""
        if not self.has(name):
            self.add_problem(name, f"is missing ({why})" if why else "is missing")
        return self.text(name, text_format)

    def displayed(self, name: str, max_length: int) -> str:
        """Returns a value that is only displayed: "" unless it is printable and short."""
        value = self.values.get(name)
        return value if isinstance(value, str) and len(value) <= max_length and value.isprintable() else ""

    def boolean(self, name: str) -> bool:
        """Returns a Boolean, JSON's own or "true" or "false". False when missing; False with a problem when invalid."""
        value = self.values.get(name)
        if isinstance(value, bool):
            return value
        if value not in (None, "", "true", "false"):
            self.add_problem(name, "is neither true nor false")
        return value == "true"

    def rows(self, name: str, count: str, max_entries: int | None = None) -> Iterator[Self]:
        """Yields the objects of a list of at most `max_entries`. Its length must equal `count`, if that is present."""
        value = self.values.get(name)
        entries = [] if value in (None, "") else value
        if not isinstance(entries, list):
            self.add_problem(name, "is no list")
            return
        self._check_count(name, count, len(entries))
        if max_entries is not None and len(entries) > max_entries:
            self.add_problem(name, f"holds {len(entries)} entries, {max_entries} at most")
            return
        for number, entry in enumerate(entries):
            place = f"{self.place_of(name)}[{number}]"
            if isinstance(entry, dict):
                yield type(self)(place, entry, self.problems)
            else:
                self.problems.add(place, "is no object")

    def _check_count(self, name: str, count: str, length: int) -> None:
        expected = self.text(count, _COUNT)
        if expected and int(expected) != length:
            self.add_problem(count, f"says {int(expected)}, {name} holds {length}")


_COUNT: Final = TextFormat(re.compile(r"[0-9]{1,9}"), 9, "is no number")
