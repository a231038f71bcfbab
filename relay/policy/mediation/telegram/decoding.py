"""Decodes telegrams into tables: one column for each field, one table for each group of rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from relay.policy.mediation.errors import ConversionError, ValueFault
from relay.policy.mediation.telegram.codec import Column
from relay.policy.mediation.telegram.plan import FieldPlan, Group, MessagePlan, OptionalPart, Part, Run

MAX_ROWS: Final = 10_000
"""Rows of one group, when the layout sets no maximum."""

_BLANK_ROW: Final = b" 0\0"


@dataclass(slots=True)
class Table:
    """Decoded rows: `columns` by field. `groups` have the rows of all rows of this table, `counts` how many for each.

    `starts` are the offsets of the rows in the telegram, `runs` those of their fields. Rows of JSON have no offsets
    (-1); their `locate` returns the path of a field in a row.
    """

    starts: Sequence[int]
    columns: dict[str, Column] = field(default_factory=dict)
    groups: dict[str, "Table"] = field(default_factory=dict)
    counts: dict[str, list[int]] = field(default_factory=dict)
    runs: list[tuple[Run, Sequence[int]]] = field(default_factory=list)
    locate: Callable[[str, int], str] | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.starts)

    def get(self, name: str) -> str:
        """Returns the value of a field in the first row, "" for none."""
        column = self.columns.get(name)
        return column[0].decode() if column else ""

    def find_offset(self, name: str, index: int) -> int:
        """Returns the offset of a field of row `index` in the telegram, that of the row when it has no such field."""
        for run, starts in self.runs:
            for plan, offset in zip(run.fields, run.offsets, strict=True):
                if plan.name == name:
                    return starts[index] + offset
        return self.starts[index] if index < len(self.starts) else -1


class Decoder:
    """Decodes one telegram. `expected` has the values that fields with a variable must have, by variable.

    `message` names the message in errors.
    """

    def __init__(self, message: str, data: bytes, expected: Mapping[str, str]) -> None:
        self._message = message
        self._data = data
        self._expected = expected

    def decode(self, plan: MessagePlan) -> Table:
        """Returns the table of the telegram, of one row. Raises ConversionError with the place of the first fault."""
        return self.decode_body(plan, self.decode_header(plan))

    def decode_header(self, plan: MessagePlan) -> Table:
        """Returns the table of the header alone. Raises ConversionError."""
        table = Table([0])
        self._decode_parts(plan.header, table, ())
        return table

    def decode_body(self, plan: MessagePlan, table: Table) -> Table:
        """Adds the body to the table of a header and returns it. Raises ConversionError, also for bytes after it."""
        start = sum(part.size for part in plan.header if isinstance(part, Run))
        end = self._decode_parts(plan.body, table, (), [start])[0]
        if end != len(self._data):
            raise ConversionError(self._message, end, "end", "the end of the telegram")
        return table

    def _decode_parts(
        self, parts: Sequence[Part], table: Table, path: "_Path", position: Sequence[int] | None = None
    ) -> Sequence[int]:
        """Decodes the parts of all rows of `table` from `position` on. Returns the offsets at which the rows end."""
        position = table.starts if position is None else position
        for part in parts:
            if isinstance(part, Run):
                self._decode_run(part, position, table, path)
                if part is not parts[-1] or not path:  # PERF: where rows end is known, 5 us for 100
                    position = [start + part.size for start in position]
            elif isinstance(part, Group):
                position = self._decode_group(part, position, table, path)
            elif position[0] == len(self._data):
                _fill_absent(part, table)
            else:
                position = self._decode_parts(part.parts, table, path, position)
        return position

    def _decode_run(self, run: Run, starts: Sequence[int], table: Table, path: "_Path") -> None:
        table.runs.append((run, starts))
        if not starts:
            for plan in run.fields:
                table.columns[plan.name] = []
            return
        data, size = self._data, run.size
        if starts[-1] + size > len(data):
            self._raise_short(run, starts, path)
        if starts[-1] - starts[0] == (len(starts) - 1) * size:  # rows follow each other
            rows = run.unpack.iter_unpack(data[starts[0] : starts[-1] + size])
        else:
            rows = map(run.unpack.unpack_from, [data] * len(starts), starts)
        for plan, offset, column in zip(run.fields, run.offsets, zip(*rows, strict=True), strict=True):
            try:
                table.columns[plan.name] = values = plan.codec.decode(column)
                if plan.constant is not None or plan.variable in self._expected:
                    self._check_value(plan, column, values)
            except ValueFault as fault:
                place = starts[fault.index] + offset + fault.position
                raise ConversionError(self._message, place, _name(path, fault.index, plan), fault.expected) from None

    def _check_value(self, plan: FieldPlan, column: Column, values: Column) -> None:
        """Raises ValueFault for a value that is not the constant, or not that of the request."""
        if plan.constant is not None:
            value = plan.constant
        else:
            text = self._expected[plan.variable]
            if plan.item.codes:
                text = plan.item.codes.get(text, plan.item.default or "")
            if len(values) == 1 and values[0].decode() == text:
                return  # PERF: equal text needs no encoding, 1 us
            value = plan.codec.encode(text)
        for index, raw in enumerate(column):
            if raw != value:
                expected = f"the ${plan.variable} of the request" if plan.variable else "the constant of the layout"
                raise ValueFault(index, expected)

    def _decode_group(self, group: Group, position: Sequence[int], table: Table, path: "_Path") -> Sequence[int]:
        counts = self._read_counts(group, table, path)
        starts: list[int] = []
        ends: list[int] = []
        for index, start in enumerate(position):
            if group.row_size:
                end = start + (group.times or counts[index]) * group.row_size
                self._check_rows(group, start, end, path, index)
                if group.times and group.count is None:
                    counts[index] = self._count_rows(group, start)
                starts += range(start, start + counts[index] * group.row_size, group.row_size)
            else:
                end = self._measure_rows(group, start, counts[index], starts, _extend(path, index, group.name))
            ends.append(end)
        rows = Table(starts)
        table.groups[group.name], table.counts[group.name] = rows, counts
        self._decode_parts(group.parts, rows, (*path, (group.name, counts)))
        return ends

    def _read_counts(self, group: Group, table: Table, path: "_Path") -> list[int]:
        if group.count is None:
            return [group.times] * table.rows
        maximum = group.times or group.maximum or MAX_ROWS
        counts = []
        for index, value in enumerate(table.columns[group.count.name]):
            count = int(value or b"0")
            if not 0 <= count <= maximum or (group.maximum and count > group.maximum):
                place = table.find_offset(group.count.name, index)
                expected = f"at most {group.maximum or maximum} rows"
                raise ConversionError(self._message, place, _name(path, index, group.count), expected)
            counts.append(count)
        return counts

    def _check_rows(self, group: Group, start: int, end: int, path: "_Path", index: int) -> None:
        if end <= len(self._data):
            return
        row = (len(self._data) - start) // group.row_size
        at = start + row * group.row_size
        run = group.parts[0]
        if isinstance(run, Run):
            self._raise_short(run, [at], _extend(path, index, group.name), row)

    def _count_rows(self, group: Group, start: int) -> int:
        """Returns the number of rows without blank ones at the end of a fixed group."""
        area = self._data[start : start + group.times * group.row_size]
        return -(-len(area.rstrip(_BLANK_ROW)) // group.row_size)

    def _measure_rows(self, group: Group, start: int, count: int, starts: list[int], path: "_Path") -> int:
        """Adds the starts of rows that differ in size. Returns where the last one ends."""
        for row in range(count):
            starts.append(start)
            position = start
            for part in group.parts:
                if isinstance(part, Run):
                    if position + part.size > len(self._data):
                        self._raise_short(part, [position], path, row)
                    position += part.size
                elif isinstance(part, Group):
                    end = position + (part.times or self._read_count(part, start, path, row)) * part.row_size
                    self._check_rows(part, position, end, path, row)
                    position = end
            start = position
        return start

    def _read_count(self, group: Group, start: int, path: "_Path", row: int) -> int:
        plan = group.count
        if plan is None:
            return group.times
        place = start + plan.offset
        raw = self._data[place : place + plan.codec.length]
        try:
            count = int(raw) if raw.isdigit() else int(plan.codec.decode([raw])[0] or b"0")
        except ValueFault as fault:
            raise ConversionError(self._message, place, _name(path, row, plan), fault.expected) from None
        if count > (group.maximum or MAX_ROWS):
            expected = f"at most {group.maximum or MAX_ROWS} rows"
            raise ConversionError(self._message, place, _name(path, row, plan), expected)
        return count

    def _raise_short(self, run: Run, starts: Sequence[int], path: "_Path", row: int | None = None) -> None:
        """Raises the error for the first field that the telegram does not have."""
        end = len(self._data)
        for index, start in enumerate(starts):
            position = start
            for plan in run.layout:
                if position + plan.codec.length > end:
                    name = _name(path, index if row is None else row, plan)
                    raise ConversionError(self._message, position, name, f"{plan.codec.length} bytes")
                position += plan.codec.length


_Path = tuple[tuple[str, "list[int] | int"], ...]
"""Names of groups with the row around them: its number, or the counts of all rows, from which it follows."""


def _name(path: _Path, index: int, plan: FieldPlan) -> str:
    """Returns the name of a field with its rows, `trans[3].interest[0].rate`."""
    names: list[str] = []
    for group, counts in reversed(path):
        if isinstance(counts, int):
            names.append(f"{group}[{index}]")
            index = counts
            continue
        outer = 0
        while outer < len(counts) and index >= counts[outer]:
            index -= counts[outer]
            outer += 1
        names.append(f"{group}[{index}]")
        index = outer
    return ".".join([*reversed(names), plan.name or "filler"])


def _extend(path: _Path, index: int, group: str) -> _Path:
    """Returns the path of rows in row `index`; the number is that of the outer row."""
    return (*path, (group, index))


def _fill_absent(part: OptionalPart, table: Table) -> None:
    for inner in part.parts:
        if isinstance(inner, Run):
            for plan in inner.fields:
                table.columns[plan.name] = [b""]
        elif isinstance(inner, Group):
            table.groups[inner.name], table.counts[inner.name] = Table([]), [0]
            _fill_rows(inner, table.groups[inner.name])


def _fill_rows(group: Group, table: Table) -> None:
    for part in group.parts:
        if isinstance(part, Run):
            for plan in part.fields:
                table.columns[plan.name] = []
        elif isinstance(part, Group):
            table.groups[part.name], table.counts[part.name] = Table([]), []
            _fill_rows(part, table.groups[part.name])
