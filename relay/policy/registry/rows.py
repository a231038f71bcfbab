"""Rows of the portal's lists, read one value at a time; everything that does not fit is told with its place.

The standard writes every JSON value as a string; first-generation senders write numbers, booleans, null and "" for
what has no value (core 0). All of them are read. Nothing that does not fit is ever repeated: it could be a secret.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

TOLD_MOST: Final = 100
"""So many problems are told one by one; the others are counted."""


class Unfit(Exception):
    """A body of the portal that the relay cannot go by. `problems` are those that are told, `found` counts all."""

    def __init__(self, problems: tuple[str, ...], found: int) -> None:
        super().__init__(problems, found)
        self.problems = problems
        self.found = found

    def __str__(self) -> str:
        more = self.found - len(self.problems)
        told = "; ".join(self.problems)
        return f"{told}; and {more} more" if more else told


@dataclass(slots=True)
class Problems:
    """What does not fit in one body."""

    told: list[str] = field(default_factory=list)
    found: int = 0

    def add(self, place: str, rule: str) -> None:
        """One more, at a place such as `org_list[17] (ZOPA000001).serial_num`."""
        self.found += 1
        if len(self.told) < TOLD_MOST:
            self.told.append(f"{place}: {rule}")

    def judge(self) -> None:
        """Raise Unfit when there is any."""
        if self.found:
            raise Unfit(tuple(self.told), self.found)


@dataclass(frozen=True, slots=True)
class Form:
    """What a value has to be: a pattern for all of it, how many bytes it has at most, and both in words."""

    pattern: re.Pattern[str]
    most: int
    words: str

    def fits(self, value: str) -> bool:
        """Whether a value has this form."""
        return self.pattern.fullmatch(value) is not None and len(value.encode("utf-8", "replace")) <= self.most


@dataclass(frozen=True, slots=True)
class Row:
    """One JSON object of a body, with the place where it stands ("" for the body itself)."""

    place: str
    values: Mapping[str, Any] = field(repr=False)
    problems: Problems = field(repr=False)

    def at(self, name: str) -> str:
        """Where one of its values stands."""
        return f"{self.place}.{name}" if self.place else name

    def wrong(self, name: str, rule: str) -> None:
        """A value of this row breaks a rule."""
        self.problems.add(self.at(name), rule)

    def given(self, name: str) -> bool:
        """Whether there is a value: null and "" are none."""
        return self.values.get(name) not in (None, "")

    def text(self, name: str, form: Form) -> str:
        """A value of this form, "" when there is none or it does not fit, which is told."""
        value = self.values.get(name)
        if value is None or value == "":
            return ""
        found = str(value) if type(value) is int else value
        if isinstance(found, str) and form.fits(found):
            return found
        self.wrong(name, form.words)
        return ""

    def needed(self, name: str, form: Form, why: str = "") -> str:
        """A value that has to be there; "" when it is not or does not fit, which is told. `why` goes into the words."""
        if not self.given(name):
            self.wrong(name, f"is missing ({why})" if why else "is missing")
        return self.text(name, form)

    def unused(self, name: str, most: int) -> str:
        """A value that is kept to be shown and that nobody goes by: "" unless it is printable and short."""
        value = self.values.get(name)
        return value if isinstance(value, str) and len(value) <= most and value.isprintable() else ""

    def boolean(self, name: str) -> bool:
        """A Boolean: JSON's own, or "true" or "false"; False when there is none or it is neither, which is told."""
        value = self.values.get(name)
        if isinstance(value, bool):
            return value
        if value not in (None, "", "true", "false"):
            self.wrong(name, "is neither true nor false")
        return value == "true"

    def rows(self, name: str, count: str, most: int | None = None) -> Iterator[Self]:
        """The objects of a list. Its length has to be what `count` says, if that is there, and at most `most`."""
        value = self.values.get(name)
        found = [] if value in (None, "") else value
        if not isinstance(found, list):
            self.wrong(name, "is no list")
            return
        self._counted(name, count, len(found))
        if most is not None and len(found) > most:
            self.wrong(name, f"holds {len(found)} entries, {most} at most")
            return
        for number, entry in enumerate(found):
            place = f"{self.at(name)}[{number}]"
            if isinstance(entry, dict):
                yield type(self)(place, entry, self.problems)
            else:
                self.problems.add(place, "is no object")

    def _counted(self, name: str, count: str, length: int) -> None:
        told = self.text(count, _COUNT)
        if told and int(told) != length:
            self.wrong(count, f"says {int(told)}, {name} holds {length}")


_COUNT: Final = Form(re.compile(r"[0-9]{1,9}"), 9, "is no number")
