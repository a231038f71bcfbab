"""Encodes telegrams from values by name; lists of values fill groups."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from relay.policy.mediation.errors import ConversionError, ValueFault
from relay.policy.mediation.telegram.plan import FieldPlan, Group, OptionalPart, Part, Run, find_groups, iter_fields

Resolve = Callable[[FieldPlan], str | None]
"""Returns the value of a field that `values` does not have, None when there is none."""


class Encoder:
    """Encodes messages of one layout. `message` names the message in errors."""

    def __init__(self, message: str, resolve: Resolve) -> None:
        self._message = message
        self._resolve = resolve

    def encode(self, parts: Sequence[Part], values: Mapping[str, Any]) -> bytes:
        """Returns the telegram. Raises ConversionError with the place of the first value that does not fit.

        Values are text by field name, and lists of such mappings by group name. A field that counts a group has the
        length of its list. An optional part is written when one of its fields has a value.
        """
        output: list[bytes] = []
        self._encode_parts(parts, values, output, 0, "")
        return b"".join(output)

    def _encode_parts(
        self, parts: Sequence[Part], values: Mapping[str, Any], output: list[bytes], position: int, prefix: str
    ) -> int:
        counts = {group.count.name: group for group in find_groups(parts).values() if group.count is not None}
        for part in parts:
            if isinstance(part, Run):
                for plan in part.layout:
                    output.append(self._encode_field(plan, values, counts, position, prefix))
                    position += plan.codec.length
            elif isinstance(part, Group):
                position = self._encode_group(part, values.get(part.name) or [], output, position, prefix)
            elif _has_values(part, values):
                position = self._encode_parts(part.parts, values, output, position, prefix)
        return position

    def _encode_field(
        self, plan: FieldPlan, values: Mapping[str, Any], counts: Mapping[str, Group], position: int, prefix: str
    ) -> bytes:
        name = plan.name
        value = values.get(name)
        try:
            if value is None and name in counts:
                value = str(len(values.get(counts[name].name) or ()))
            if value is None:
                if plan.constant is not None:
                    return plan.constant
                value = self._resolve(plan)
            if value and plan.item.codes:
                value = translate(plan, str(value))
            return plan.codec.encode(str(plan.item.default or "") if value is None else str(value))
        except ValueFault as fault:
            raise ConversionError(self._message, position, f"{prefix}{name or 'filler'}", fault.expected) from None

    def _encode_group(
        self, group: Group, rows: Sequence[Mapping[str, Any]], output: list[bytes], position: int, prefix: str
    ) -> int:
        maximum = group.times or group.maximum
        if maximum and len(rows) > maximum:
            raise ConversionError(self._message, position, f"{prefix}{group.name}", f"at most {maximum} rows")
        for index, row in enumerate(rows):
            position = self._encode_parts(group.parts, row, output, position, f"{prefix}{group.name}[{index}].")
        unused = (group.times - len(rows)) if group.times else 0
        if unused:
            output.append(_build_blank_row(group) * unused)
            position += group.row_size * unused
        return position


def translate(plan: FieldPlan, value: str) -> str:
    """Returns the code of a value. Raises ValueFault for a value that the code table of the field does not have."""
    code = plan.item.codes.get(value, plan.item.default)
    if code is None:
        raise ValueFault(0, "a value of its code table")
    return code


def _has_values(part: OptionalPart, values: Mapping[str, Any]) -> bool:
    names = {plan.name for plan in iter_fields(part.parts)} | set(find_groups(part.parts))
    return any(values.get(name) for name in names)


def _build_blank_row(group: Group) -> bytes:
    return b"".join(
        plan.codec.encode("") for part in group.parts if isinstance(part, Run) for plan in part.layout
    ).ljust(group.row_size)
