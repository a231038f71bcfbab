"""Compiles the fields of a response into checks of its objects: presence, types, lengths, code tables, counts."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from relay.domain.api import Field, Presence
from relay.policy.answers.rules import Report, Rule
from relay.policy.call.fields import Check, compile_field_check, get_checked_type, to_text

_UNLIMITED: Final = {"F": "8000,4000"}
_LONG: Final = "8000"
_MAX_DIGITS: Final = 9
"""Longer counts are too long for their field, and slow to read as numbers."""


class ObjectRules:
    """The rules for the objects at one place of a response: `path` is "" for the body, else `trans_list[]`.

    PERF: 5 us for each row of 은행-004, its reading included.
    """

    __slots__ = ("_counts", "_lists", "_names", "_path", "_scalars")

    def __init__(self, fields: tuple[Field, ...], path: str = "") -> None:
        self._path = path
        self._names = frozenset(field.name for field in fields)
        prefix = f"{path}." if path else ""
        self._scalars: tuple[tuple[str, Check, bool, str, Field], ...] = tuple(
            (field.name, compile_field_check(field), field.presence is Presence.REQUIRED, prefix + field.name, field)
            for field in fields
            if field.type != "array"
        )
        self._lists = tuple(
            (field, prefix + field.name, ObjectRules(field.fields, f"{prefix}{field.name}[]"))
            for field in fields
            if field.type == "array"
        )
        self._counts = tuple((count, rows, prefix + count) for count, rows in _find_counts(fields))

    def check(self, members: Mapping[str, object], report: Report) -> None:
        """Reports each broken rule of an object."""
        get = members.get
        for name, matches, is_required, path, field in self._scalars:
            value = get(name)
            if value.__class__ is str and matches(value):
                continue
            if value is None and name not in members:
                if is_required:
                    report(Rule.MISSING, path)
            else:
                _check_value(field, matches, value, path, report)
        for field, path, rules in self._lists:
            _check_list(field, members, path, rules, report)
        for count, rows, path in self._counts:
            if not _is_count_right(get(count), get(rows)):
                report(Rule.COUNT, path)
        if not self._names.issuperset(members):
            report(Rule.UNKNOWN_FIELD, self._path)


def _find_counts(fields: tuple[Field, ...]) -> Iterator[tuple[str, str]]:
    """Yields the name of each count with that of its list: `trans_cnt`, `trans_list`."""
    lists = {field.name for field in fields if field.type == "array"}
    for field in fields:
        rows = f"{field.name.removesuffix('_cnt')}_list"
        if field.name.endswith("_cnt") and rows in lists:
            yield field.name, rows


def _is_count_right(count: object, rows: object) -> bool:
    """Returns whether a count is the number of rows, compared as numbers. A count of another type is right here."""
    text = to_text(count)
    if not isinstance(rows, list) or not (text.isascii() and text.isdigit()):
        return True
    return len(text) > _MAX_DIGITS or int(text) == len(rows)


def _check_list(field: Field, members: Mapping[str, object], path: str, rules: ObjectRules, report: Report) -> None:
    is_required = field.presence is Presence.REQUIRED
    if field.name not in members:
        if is_required:
            report(Rule.MISSING, path)
        return
    rows = members[field.name]
    if not isinstance(rows, list):
        report(Rule.EMPTY if rows is None else Rule.TYPE, path)
        return
    if not rows and not is_required:
        report(Rule.EMPTY, path)
    for row in rows:
        if isinstance(row, dict):
            rules.check(row, report)
        else:
            report(Rule.TYPE, f"{path}[]")


def _check_value(field: Field, matches: Check, value: object, path: str, report: Report) -> None:
    """Reports what is wrong with a value that is no valid string. A number or boolean stands for its text."""
    if value is None or value == "":
        report(Rule.EMPTY, path)
        return
    text = to_text(value)
    if text and matches(text):
        report(Rule.STYLE, path)
    elif field.codes:
        report(Rule.CODE_TABLE if text else Rule.TYPE, path)
    else:
        report(Rule.LENGTH if text and _is_too_long(field, text) else Rule.TYPE, path)


def _is_too_long(field: Field, text: str) -> bool:
    kind = get_checked_type(field)
    if kind == "AH":
        return len(text.encode("utf-8", "surrogatepass")) > int(field.length)
    return kind not in {"Boolean", "DATE", "DTIME", "DTIME|DATE", "month"} and bool(_compile_unlimited(field)(text))


@lru_cache(maxsize=256)
def _compile_unlimited_kind(kind: str) -> Check:
    field = Field("value", kind, _UNLIMITED.get(kind, _LONG), Presence.OPTIONAL, "", {}, "")
    return compile_field_check(field)


def _compile_unlimited(field: Field) -> Check:
    """Returns the check of the field's type without its length."""
    return _compile_unlimited_kind(get_checked_type(field))
