"""Telegrams for people and tools: layouts as tables, telegrams as values by name and back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relay.policy.mediation.conversion import Conversion
from relay.policy.mediation.telegram.decoding import Decoder, Table
from relay.policy.mediation.telegram.encoding import Encoder
from relay.policy.mediation.telegram.plan import FieldPlan, Group, MessagePlan, Part, Run


@dataclass(frozen=True, slots=True)
class LayoutRow:
    """One line of a layout's table. `offset` counts from the start of the message, or of the row in lists.

    It is None after a list of unknown length. `depth` is 0 for fields of the message; `note` describes lists.
    """

    depth: int
    offset: int | None
    length: int
    name: str
    type: str
    value: str = ""
    note: str = ""


def describe_layout(plan: MessagePlan) -> list[LayoutRow]:
    """Returns the table of a message."""
    return list(_describe_parts(plan.parts, 0, 0))


def _describe_parts(parts: Sequence[Part], start: int | None, depth: int, note: str = "") -> Iterator[LayoutRow]:
    position = start
    for part in parts:
        if isinstance(part, Run):
            for field in part.layout:
                item = field.item
                kind = f"{item.type}({field.codec.length},{item.decimals})" if item.decimals else str(item.type)
                yield LayoutRow(depth, position, field.codec.length, field.name, kind, item.value or "", note)
                position = None if position is None else position + field.codec.length
        elif isinstance(part, Group):
            yield LayoutRow(depth, position, part.times * part.row_size, part.name, "list", note=_describe_rows(part))
            yield from _describe_parts(part.parts, 0, depth + 1)
            position = position + part.times * part.row_size if part.times and position is not None else None
        else:
            yield from _describe_parts(part.parts, position, depth, "optional")


def _describe_rows(group: Group) -> str:
    size = f"{group.row_size} bytes each" if group.row_size else "of different sizes"
    if group.count is None:
        return f"{group.times} rows, {size}"
    maximum = f", at most {group.maximum}" if group.maximum else ""
    return f"as many rows as {group.count.name}{maximum}, {size}" + (
        f", space for {group.times}" if group.times else ""
    )


def build_values(table: Table) -> dict[str, Any]:
    """Returns the values of a decoded telegram by name; groups are lists of such mappings."""
    return _build_rows(table)[0]


def _build_rows(table: Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{} for _ in range(table.rows)]
    for name, column in table.columns.items():
        for row, value in zip(rows, column, strict=True):
            row[name] = value.decode()
    for name, group in table.groups.items():
        members, start = _build_rows(group), 0
        for row, count in zip(rows, table.counts[name], strict=True):
            row[name] = members[start : start + count]
            start += count
    return rows


def mask_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns values of a telegram in which nothing of a customer is left but the form: `2026-01` becomes `9999-99`."""
    return {
        name: [mask_values(row) for row in value] if isinstance(value, list) else mask_text(str(value))
        for name, value in values.items()
    }


def mask_text(text: str) -> str:
    """Returns a text with 9 for digits, x for ASCII letters, 가 for other characters; ASCII punctuation stays."""
    return "".join(map(_mask_character, text))


def _mask_character(character: str) -> str:
    if character.isdigit():
        return "9"
    if not character.isascii():
        return "가"
    return "x" if character.isalpha() else character


def decode_message(
    name: str, plan: MessagePlan, data: bytes, expected: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Returns the values of a telegram by field name. Raises ConversionError; `name` is that of the message in it.

    `expected` are values of the context that fields with a variable must have.
    """
    return build_values(Decoder(name, data, expected or {}).decode(plan))


def encode_message(
    name: str, plan: MessagePlan, values: Mapping[str, Any], context: Mapping[str, str] | None = None
) -> bytes:
    """Returns the telegram of values by field name, without its length. Raises ConversionError.

    Constants need no value; `context` has those of fields with a variable.
    """
    known = {"length": "0", **(context or {})}

    def resolve(field: FieldPlan) -> str | None:
        return known.get(field.variable)

    return Encoder(name, resolve).encode(plan.parts, values)


def encode_response(conversion: Conversion, values: Mapping[str, Any], context: Mapping[str, str]) -> bytes:
    """Returns a response telegram with its length, as the core would send it. Raises ConversionError."""
    known = {**context, "kind": conversion.kinds.response, "code": conversion.response_code}
    name = f"{conversion.name} response"
    return conversion.framing.write_length(encode_message(name, conversion.response, values, known))
