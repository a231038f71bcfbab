"""The fields of one telegram in their order, each with its place, its bytes and its value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relay.policy.mediation.conversion import Conversion
from relay.policy.mediation.inspection import mask_text
from relay.policy.mediation.settings import TelegramLink
from relay.policy.mediation.telegram.codec import Kind
from relay.policy.mediation.telegram.decoding import Table
from relay.policy.mediation.telegram.plan import FieldPlan, Group, MessagePlan, OptionalPart, Part, Run, find_groups

_OPEN_VALUES: Final = frozenset(
    {"length", "kind", "code", "today", "now", "time", "unique_number", "tran_id", "org_code", "api_type"}
    | {"sequence", "rows", "page", "client_id"}
)
"""Values of the context that say nothing about a customer."""


@dataclass(frozen=True, slots=True)
class LocatedValue:
    """One field of a telegram, or a list (`plan` is None, `rows` is the number of its rows).

    `offset` counts from the start of the telegram. `path` names the field with its rows, `trans_list[0].trans_amt`.
    `is_open` is False for values that may be a customer's.
    """

    depth: int
    offset: int
    length: int
    name: str
    path: str
    type: str
    raw: bytes
    value: str
    plan: FieldPlan | None
    is_open: bool
    rows: int = 0

    @property
    def masked(self) -> str:
        """The value as it may be shown: that of a customer in its form alone."""
        return self.value if self.is_open else mask_text(self.value)


def describe_type(plan: FieldPlan) -> str:
    """Returns the type of a field as layouts have it, `amount(15,2)`."""
    item = plan.item
    return f"{item.type}({item.bytes},{item.decimals})" if item.decimals else f"{item.type}({item.bytes})"


def describe_words(plan: FieldPlan) -> str:
    """Returns the words of a field after its type as layouts have them, `sign leading`."""
    item = plan.item
    words = [item.align or "", f"pad {item.pad}" if item.pad else "", f"sign {item.sign}" if item.sign else ""]
    words += ["unsigned" if item.unsigned else "", "little" if item.little else ""]
    return " ".join(filter(None, [*words, "zero blank" if item.zero_blank else ""]))


def find_open_names(link: TelegramLink, parts: Sequence[Part]) -> frozenset[str]:
    """Returns the names of fields that say nothing about a customer: response code, line management, counts."""
    management = {link.management.field} if link.management is not None else set()
    return frozenset({link.response_code.field, *management, *_iter_count_names(parts)})


def _iter_count_names(parts: Sequence[Part]) -> Iterator[str]:
    for group in find_groups(parts).values():
        if group.count is not None:
            yield group.count.name
        yield from _iter_count_names(group.parts)


def locate_values(
    plan: MessagePlan, table: Table, data: bytes, open_names: frozenset[str] = frozenset()
) -> list[LocatedValue]:
    """Returns all fields of a decoded telegram. Of a table that was decoded in part it returns the first fields."""
    return list(_Locator(data, open_names).iter_parts(plan.parts, table, 0, "", 0))


class _Locator:
    """Walks through the parts of a telegram and its decoded table together."""

    def __init__(self, data: bytes, open_names: frozenset[str]) -> None:
        self._data = data
        self._open_names = open_names

    def iter_parts(
        self, parts: Sequence[Part], table: Table, index: int, prefix: str, depth: int
    ) -> Iterator[LocatedValue]:
        for part in parts:
            if isinstance(part, Run):
                yield from self._iter_run(part, table, index, prefix, depth)
            elif isinstance(part, Group):
                yield from self._iter_group(part, table, index, prefix, depth)
            elif isinstance(part, OptionalPart):
                yield from self.iter_parts(part.parts, table, index, prefix, depth)

    def _iter_run(self, run: Run, table: Table, index: int, prefix: str, depth: int) -> Iterator[LocatedValue]:
        starts = next((starts for each, starts in table.runs if each is run), ())
        if index >= len(starts):
            return
        offset = starts[index]
        for plan in run.layout:
            length = plan.codec.length
            is_filler = plan.codec.kind is Kind.FILLER
            column = table.columns.get(plan.name, ())
            if not is_filler and index >= len(column):
                return  # the telegram was decoded up to here
            raw = self._data[offset : offset + length]
            name = plan.name or "filler"
            value = "" if is_filler else column[index].decode()
            is_open = plan.constant is not None or plan.variable in _OPEN_VALUES or name in self._open_names
            kind = describe_type(plan)
            yield LocatedValue(depth, offset, length, name, prefix + name, kind, raw, value, plan, is_open)
            offset += length

    def _iter_group(self, group: Group, table: Table, index: int, prefix: str, depth: int) -> Iterator[LocatedValue]:
        rows = table.groups.get(group.name)
        counts = table.counts.get(group.name, [])
        if rows is None or index >= len(counts):
            return
        first = sum(counts[:index])
        count = counts[index]
        offset = rows.starts[first] if count else -1
        yield LocatedValue(
            depth, offset, count * group.row_size, group.name, prefix + group.name, "list", b"", "", None, True, count
        )
        for row in range(count):
            path = f"{prefix}{group.name}[{row}]."
            yield from self.iter_parts(group.parts, rows, first + row, path, depth + 1)


def find_changed_field(values: Sequence[LocatedValue], data: bytes) -> LocatedValue | None:
    """Returns the first field whose bytes are others in `data`, a telegram of the same layout; fillers may differ."""
    return next(
        (
            value
            for value in values
            if value.plan is not None
            and value.plan.codec.kind is not Kind.FILLER
            and data[value.offset : value.offset + value.length] != value.raw
        ),
        None,
    )


_OPEN_MEMBERS: Final = ("rsp_code",)


def mask_body(body: Mapping[str, Any], conversion: Conversion) -> dict[str, Any]:
    """Returns the JSON of the standard in which customers' values show their form alone.

    rsp_code and numbers of rows stay; rsp_msg stays unless it is a text of the core.
    """
    is_own_text = not conversion.codes.text
    return {name: _mask_member(name, value, is_own_text=is_own_text) for name, value in body.items()}


def _mask_member(name: str, value: Any, *, is_own_text: bool) -> Any:
    if isinstance(value, list):
        return [
            {inner: _mask_member(inner, member, is_own_text=is_own_text) for inner, member in row.items()}
            for row in value
        ]
    if name in _OPEN_MEMBERS or name.endswith("_cnt") or (name == "rsp_msg" and is_own_text):
        return value
    return "(sealed)" if name == "next_page" else mask_text(str(value))
