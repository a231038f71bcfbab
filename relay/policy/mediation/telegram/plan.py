"""Compiles the items of a layout into a flat plan: runs of fields at fixed offsets, and groups of rows between them."""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from relay.policy.mediation.errors import LayoutError, ValueFault
from relay.policy.mediation.telegram.blank_values import BLANK_VALUE_TYPES, NUL_TYPES, BlankValuesCodec
from relay.policy.mediation.telegram.codec import Codec, FillerCodec, Kind
from relay.policy.mediation.telegram.notation import Item
from relay.policy.mediation.telegram.numbers import (
    AmountCodec,
    BinaryCodec,
    DecimalCodec,
    PackedCodec,
    ZonedCodec,
)
from relay.policy.mediation.telegram.texts import (
    AsciiCodec,
    DateCodec,
    DatetimeCodec,
    DigitsCodec,
    TextCodec,
    TimeCodec,
)

_CODECS: Final[dict[str, Callable[[Item], Codec]]] = {
    "an": AsciiCodec,
    "n": DigitsCodec,
    "amount": AmountCodec,
    "decimal": DecimalCodec,
    "packed": PackedCodec,
    "zoned": ZonedCodec,
    "binary": BinaryCodec,
    "date": DateCodec,
    "time": TimeCodec,
    "datetime": DatetimeCodec,
    "filler": FillerCodec,
}
_LENGTHS: Final = {
    "date": ((6, 8), "6 or 8 bytes"),
    "time": ((4, 6), "4 or 6 bytes"),
    "datetime": ((14,), "14 bytes"),
    "binary": (range(1, 9), "1 to 8 bytes"),
    "packed": (range(1, 17), "1 to 16 bytes"),
}
_COUNT_KINDS: Final = (Kind.DIGITS, Kind.NUMBER)


@dataclass(frozen=True, slots=True, eq=False)
class FieldPlan:
    """A field: its offset from the start of its record (after a group: of its run), codec and value in the layout."""

    name: str
    codec: Codec
    offset: int
    item: Item
    key: str
    constant: bytes | None = None
    variable: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Fields that follow each other; `offsets` are those of `fields` from the start of the run."""

    fields: tuple[FieldPlan, ...]
    layout: tuple[FieldPlan, ...]
    offsets: tuple[int, ...]
    size: int
    unpack: struct.Struct


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Rows of a record. `row_size` is 0 when rows differ in size, because they have a counted group themselves."""

    name: str
    parts: tuple["Part", ...]
    row_size: int
    count: FieldPlan | None
    times: int
    maximum: int
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class OptionalPart:
    """The end of a telegram, which may be absent as a whole."""

    parts: tuple["Part", ...]


Part = Run | Group | OptionalPart


@dataclass(frozen=True, slots=True)
class MessagePlan:
    """A message: the parts of its header, which is one run, and those of its body."""

    header: tuple[Part, ...]
    body: tuple[Part, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts."""
        return self.header + self.body


@dataclass(slots=True)
class _Builder:
    """Collects parts of one record. `position` is None after rows of unknown number."""

    charset: str
    problems: list[LayoutError]
    outer: "_Builder | None" = None
    parts: list[Part] = field(default_factory=list)
    position: int | None = 0
    run: list[FieldPlan] = field(default_factory=list)
    run_position: int = 0
    named: dict[str, FieldPlan] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


def build_codec(item: Item, charset: str) -> Codec:
    """Returns the codec of a field. Raises LayoutError, without key, for a length that its type cannot have."""
    kind = item.type or ""
    allowed = _LENGTHS.get(kind)
    if allowed and item.bytes not in allowed[0]:
        raise LayoutError("", f"has a length that {kind} cannot have", allowed[1])
    codec = TextCodec(item, charset) if kind == "ah" else _CODECS[kind](item)
    _check_options(item, codec)
    return BlankValuesCodec(item, codec, item.blank) if item.blank or item.pad == "nul" else codec


def _check_options(item: Item, codec: Codec) -> None:
    """Raises LayoutError for decimals, a sign or padding that the type cannot have."""
    kind = item.type or ""
    if item.decimals and (codec.kind is not Kind.NUMBER or item.decimals > codec.length * 2):
        raise LayoutError("", "has decimals that do not fit", "decimals of a number, fewer than its digits")
    if item.sign and (kind != "amount" or codec.length < 2):  # noqa: PLR2004 - a sign and a digit
        raise LayoutError("", "has a sign", "a sign of an amount of at least 2 bytes")
    if item.pad == "nul" and kind not in NUL_TYPES:
        raise LayoutError("", "is padded with NUL", "such padding of an or ah alone")
    if item.blank and kind not in BLANK_VALUE_TYPES:
        raise LayoutError("", "has values for none", "one of " + ", ".join(BLANK_VALUE_TYPES))


def compile_message(
    header: Iterable[Item],
    body_key: str,
    body: Iterable[Item],
    charset: str,
    problems: list[LayoutError],
    first_index: int = 0,
) -> MessagePlan:
    """Returns the plan of a message; adds what is wrong to `problems`, below the keys `header` and `body_key`.

    `first_index` is the index of the first field of the header in its file, -1 when it is not there.
    """
    builder = _Builder(charset, problems)
    _compile_record(((f"header[{index}]", item) for index, item in enumerate(header, first_index)), builder)
    headers = len(builder.parts)
    _compile_record(((f"{body_key}[{index}]", item) for index, item in enumerate(body)), builder)
    return MessagePlan(tuple(builder.parts[:headers]), tuple(builder.parts[headers:]))


def _compile_record(items: Iterable[tuple[str, Item]], builder: _Builder) -> tuple[Part, ...]:
    for key, item in items:
        if builder.parts and isinstance(builder.parts[-1], OptionalPart):
            builder.problems.append(LayoutError(key, "follows the optional part", "the optional part at the end"))
            break
        if item.optional:
            _close_run(builder)
            _add_optional(key, item, builder)
        elif item.list is not None:
            _close_run(builder)
            _add_group(key, item, builder)
        else:
            _add_field(key, item, builder)
    _close_run(builder)
    return tuple(builder.parts)


def _add_field(key: str, item: Item, builder: _Builder) -> None:
    try:
        codec = build_codec(item, builder.charset)
        constant = _encode_constant(item, codec)
    except LayoutError as error:
        builder.problems.append(LayoutError(key, error.wrong, error.allowed))
        return
    _check_offset(key, item, builder)
    name = item.name or ""
    if name and codec.kind is not Kind.FILLER:
        if name in builder.names:
            builder.problems.append(LayoutError(key, f"repeats the name {name}", "a name for each field"))
        builder.names.add(name)
    offset = builder.run_position if builder.position is None else builder.position
    variable = item.value[1:] if item.value and item.value.startswith("$") else ""
    plan = FieldPlan(name, codec, offset, item, key, constant, variable)
    builder.run.append(plan)
    if name and (builder.position is not None or builder.outer is None):
        builder.named[name] = plan  # in rows a count has a fixed offset: rows are measured before they are decoded
    builder.run_position += codec.length
    if builder.position is not None:
        builder.position += codec.length


def _encode_constant(item: Item, codec: Codec) -> bytes | None:
    if item.value is None or item.value.startswith("$"):
        return None
    try:
        return codec.encode(item.value)
    except ValueFault as fault:
        raise LayoutError("", "has a constant that does not fit", fault.expected) from None


def _check_offset(key: str, item: Item, builder: _Builder) -> None:
    if item.at is None:
        return
    if builder.position is None:
        builder.problems.append(LayoutError(key, "has an offset after rows that are counted", "no offset"))
    elif item.at < builder.position:
        wrong = f"begins at {item.at} and overlaps the field before it"
        builder.problems.append(LayoutError(key, wrong, f"{builder.position} or no offset"))
    elif item.at > builder.position:
        gap = item.at - builder.position
        builder.problems.append(LayoutError(key, f"leaves a gap of {gap} bytes before it", f"filler({gap}) before it"))


def _close_run(builder: _Builder) -> None:
    layout = tuple(builder.run)
    if not layout:
        return
    fields, offsets, position = [], [], 0
    for plan in layout:
        if plan.codec.kind is not Kind.FILLER:
            fields.append(plan)
            offsets.append(position)
        position += plan.codec.length
    forms = "".join(f"{plan.codec.length}{'x' if plan.codec.kind is Kind.FILLER else 's'}" for plan in layout)
    builder.parts.append(Run(tuple(fields), layout, tuple(offsets), position, struct.Struct(forms)))
    builder.run, builder.run_position = [], 0


def _add_optional(key: str, item: Item, builder: _Builder) -> None:
    if builder.outer is not None:
        builder.problems.append(LayoutError(key, "is in rows", "an optional part at the end of the message"))
        return
    pairs = ((f"{key}.optional[{index}]", inner) for index, inner in enumerate(item.optional))
    part = _Builder(builder.charset, builder.problems, None, position=builder.position)
    part.named, part.names = builder.named, builder.names
    builder.parts.append(OptionalPart(_compile_record(pairs, part)))


def _add_group(key: str, item: Item, builder: _Builder) -> None:
    name = item.list or ""
    if builder.outer is not None and builder.outer.outer is not None:
        builder.problems.append(LayoutError(key, "is nested too deeply", "rows in rows, one level"))
        return
    if name in builder.names:
        builder.problems.append(LayoutError(key, f"repeats the name {name}", "a name for each field and list"))
    builder.names.add(name)
    count = _find_count(key, item, builder)
    rows = _Builder(builder.charset, builder.problems, builder)
    pairs = ((f"{key}.fields[{index}]", inner) for index, inner in enumerate(item.fields))
    parts = _compile_record(pairs, rows)
    row_size = rows.position or 0
    times = item.times or 0
    if rows.position is None and times:
        builder.problems.append(LayoutError(key, "has rows of different sizes", "count without times"))
    _check_count_digits(key, item, count, builder.problems)
    builder.parts.append(Group(name, parts, row_size, count, times, item.max or times, key))
    builder.position = builder.position + times * row_size if times and builder.position is not None else None


def _find_count(key: str, item: Item, builder: _Builder) -> FieldPlan | None:
    if item.count is None:
        return None
    plan = builder.named.get(item.count)
    if plan is None or plan.codec.kind not in _COUNT_KINDS or plan.codec.scale:
        wrong = f"names {item.count}, which is no number before the list in the same record"
        builder.problems.append(LayoutError(f"{key}.count", wrong, "a field of type n or binary before the list"))
        return None
    return plan


def _check_count_digits(key: str, item: Item, count: FieldPlan | None, problems: list[LayoutError]) -> None:
    maximum = item.max or item.times or 0
    if count is not None and len(str(maximum)) > count.codec.digits:
        wrong = f"is too short: {count.codec.digits} digits for {maximum} rows"
        problems.append(LayoutError(f"{key}.count", wrong, f"a field of at least {len(str(maximum))} digits"))


def iter_fields(parts: Sequence[Part]) -> Iterator[FieldPlan]:
    """Yields the fields of a record, without those of its groups."""
    for part in parts:
        if isinstance(part, Run):
            yield from part.fields
        elif isinstance(part, OptionalPart):
            yield from iter_fields(part.parts)


def find_groups(parts: Sequence[Part]) -> dict[str, Group]:
    """Returns the groups of a record by name, without groups in groups."""
    groups: dict[str, Group] = {}
    for part in parts:
        if isinstance(part, Group):
            groups[part.name] = part
        elif isinstance(part, OptionalPart):
            groups |= find_groups(part.parts)
    return groups


def get_size(parts: Sequence[Part], *, largest: bool = False) -> int:
    """Returns the size of the shortest record: counted groups without rows, no optional part.

    With `largest` it is that of the longest record: all rows, of groups with a maximum, and the optional part.
    """
    size = 0
    for part in parts:
        if isinstance(part, Run):
            size += part.size
        elif isinstance(part, Group):
            row_size = part.row_size or get_size(part.parts, largest=largest)
            size += (part.times or part.maximum * largest) * row_size
        elif largest:
            size += get_size(part.parts, largest=True)
    return size
