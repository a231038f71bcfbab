"""Renders decoded tables as JSON objects of the standard.

PERF: a page is rendered column by column. The template of a row is put together once for each page from the names of
its fields; fields that are the same in all rows, or absent from all, are part of it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from relay.policy.mediation.errors import ConversionError, ValueFault
from relay.policy.mediation.mapping.expressions import Frame, Source
from relay.policy.mediation.mapping.targets import Target
from relay.policy.mediation.settings import MESSAGE_ROWS

_ESCAPED: Final = bytes(byte for byte in range(0x20)) + b'"\\\x7f'


@dataclass(frozen=True, slots=True)
class FieldOutput:
    """One field of an object; `key` is its quoted name with a colon."""

    name: str
    key: bytes
    source: Source
    target: Target
    is_required: bool


@dataclass(frozen=True, slots=True)
class ListOutput:
    """A list of an object: its rows are those of a group, or the message itself; `count` is its field of their number.

    `count` is "" when the count has a source of its own. A list that is not required is left out when it is empty.
    """

    name: str
    rows: str
    output: "ObjectOutput"
    count: str
    maximum: int
    is_required: bool


@dataclass(frozen=True, slots=True)
class ObjectOutput:
    """The fields and lists of one kind of object."""

    fields: tuple[FieldOutput, ...]
    lists: tuple[ListOutput, ...] = ()


@dataclass(slots=True)
class _Template:
    """Pieces of a row: always present ones with their columns, then ones that some rows do not have."""

    pieces: list[bytes]
    columns: list[Sequence[bytes]]
    loose: list[Sequence[bytes]]


@lru_cache(maxsize=512)
def quote_name(name: str) -> bytes:
    """Returns the name of a field as a JSON string, from memory: there are few names."""
    return quote(name)


def quote(text: str) -> bytes:
    """Returns a text as a JSON string in UTF-8."""
    return json.dumps(text, ensure_ascii=False).encode()


def _escape(values: Sequence[bytes]) -> Sequence[bytes]:
    """Returns values as they stand between quotes. PERF: one look at all values; few have what JSON escapes."""
    joined = b"".join(values)
    if len(joined.translate(None, _ESCAPED)) == len(joined):
        return values
    return [json.dumps(value.decode(), ensure_ascii=False)[1:-1].encode() for value in values]


def evaluate_field(field: FieldOutput, frame: Frame) -> bytes | Sequence[bytes]:
    """Returns the values of a field in all rows, or the value of every row. Raises ValueFault."""
    values = field.source.evaluate(frame)
    is_single = isinstance(values, bytes)
    column: Sequence[bytes] = [values] if isinstance(values, bytes) else values
    if column and not column[0] and not field.is_required and not any(column):
        return b""  # PERF: optional fields without any value need no conversion
    for convert in field.target.converts:
        column = convert(column)
    if field.is_required and b"" in column:
        raise ValueFault(list(column).index(b""), "a value: the standard requires it")
    if field.target.is_free:
        column = _escape(column)
    return column[0] if is_single else column


class Renderer:
    """Renders one telegram; `message` names it in errors."""

    def __init__(self, message: str) -> None:
        self._message = message

    def render(self, output: ObjectOutput, frame: Frame, path: str = "") -> list[bytes]:
        """Returns the object of each row. Raises ConversionError with the place of the first value that does not fit.

        `path` names the list of the rows in errors.
        """
        template = _Template([], [], [])
        for field in output.fields:
            if field.source.parts and _add_parts(template, field, frame):
                continue
            try:
                values = evaluate_field(field, frame)
            except ValueFault as fault:
                raise self._locate(field, frame, path, fault) from None
            _add_field(template, field.key, values, is_complete=field.is_required)
        for entry in output.lists:
            self._add_list(template, entry, frame, path)
        return _fill(template, frame.table.rows)

    def render_rows(self, entry: ListOutput, frame: Frame) -> tuple[list[bytes], Sequence[int]]:
        """Returns the objects of a list of all rows of `frame`, and how many belong to each of them."""
        if entry.rows == MESSAGE_ROWS:
            return self.render(entry.output, frame, entry.name), [1]
        table, counts = frame.table.groups[entry.rows], frame.table.counts[entry.rows]
        return self.render(entry.output, Frame(table, frame, counts), entry.name), counts

    def _add_list(self, template: _Template, entry: ListOutput, frame: Frame, path: str) -> None:
        objects, counts = self.render_rows(entry, frame)
        lists, start = [], 0
        for index, count in enumerate(counts):
            if count > entry.maximum:
                place = frame.table.find_offset(entry.rows, index)
                raise ConversionError(self._message, place, f"{path}[{index}].{entry.name}", f"{entry.maximum} rows")
            lists.append(b"[" + b",".join(objects[start : start + count]) + b"]")
            start += count
        if entry.count:
            _add_field(template, quote_name(entry.count) + b":", [b"%d" % count for count in counts])
        if entry.is_required or all(counts):
            template.pieces.append(quote_name(entry.name) + b":%b")
            template.columns.append(lists)
        else:
            prefix = b"," + quote_name(entry.name) + b":"
            template.loose.append([prefix + text if text != b"[]" else b"" for text in lists])

    def _locate(self, field: FieldOutput, frame: Frame, path: str, fault: ValueFault) -> ConversionError:
        table, source = frame.table, field.source.field
        offset = table.find_offset(source, fault.index)
        name = f"{path}[{fault.index}].{field.name}" if path else field.name
        if table.locate is not None and source:
            name = f"{table.locate(source, fault.index)} ({field.name})"
        return ConversionError(self._message, offset, name, fault.expected)


def _add_parts(template: _Template, field: FieldOutput, frame: Frame) -> bool:
    """Adds the columns of a join side by side. Returns False when values must be checked, or one of them is blank.

    PERF: date and time of 100 rows need no joining, 6 us.
    """
    if field.target.converts or field.target.is_free:
        return False
    columns = [part.evaluate(frame) for part in field.source.parts]
    if any(isinstance(column, bytes) or b"" in column for column in columns):
        return False
    template.pieces.append(field.key + b'"' + b"%b" * len(columns) + b'"')
    template.columns += [column for column in columns if not isinstance(column, bytes)]
    return True


def _add_field(template: _Template, key: bytes, values: bytes | Sequence[bytes], *, is_complete: bool = False) -> None:
    """Adds the values of a field; with `is_complete` all rows are known to have one."""
    if isinstance(values, bytes):
        if values:
            template.pieces.append(key + b'"' + values.replace(b"%", b"%%") + b'"')
    elif is_complete or b"" not in values:
        template.pieces.append(key + b'"%b"')
        template.columns.append(values)
    elif any(values):
        prefix = b"," + key + b'"'
        template.loose.append([prefix + value + b'"' if value else value for value in values])


def _fill(template: _Template, rows: int) -> list[bytes]:
    row = b"{" + b",".join(template.pieces) + b"%b" * len(template.loose) + b"}"
    columns = [*template.columns, *template.loose]
    if not columns:
        return [row % ()] * rows
    objects = list(map(row.__mod__, zip(*columns, strict=True)))
    if not template.pieces:
        objects = [b"{" + text[1:].removeprefix(b",") for text in objects]
    return objects
