"""Tables of layouts and telegrams that fit the terminal: the last column is wrapped."""

import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

import click
from rich.cells import cell_len

from relay.policy.mediation.located_values import LocatedValue
from relay.policy.mediation.telegram.codec import Kind

_BETWEEN: Final = "  "
_INDENT: Final = "  "
_NARROWEST: Final = 16
COLUMNS: Final = 80


def print_wrapped(heads: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[str] = ()) -> None:
    """Prints aligned columns, also of wide letters. The last one is wrapped at the width of the terminal."""
    for line in format_wrapped(heads, rows, right, shutil.get_terminal_size((COLUMNS, 24)).columns):
        click.echo(line)


def format_wrapped(
    heads: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[str], width: int
) -> Iterator[str]:
    """Yields the lines of a table."""
    table = [tuple(heads), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)][:-1]
    margin = sum(widths) + len(_BETWEEN) * len(widths)
    room = max(width - margin, _NARROWEST)
    for cells in table:
        padded = [
            f"{' ' * (size - cell_len(cell))}{cell}" if name in right else f"{cell}{' ' * (size - cell_len(cell))}"
            for name, cell, size in zip(heads, cells, widths, strict=False)
        ]
        first, *others = wrap(cells[-1], room)
        yield _BETWEEN.join([*padded, first]).rstrip()
        yield from (" " * margin + other for other in others)


def wrap(text: str, width: int) -> list[str]:
    """Returns a text in lines of at most `width` columns, divided at blanks where it has any."""
    lines, line = [], ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        while cell_len(line) > width:
            end = _find_end(line, width)
            lines.append(line[:end])
            line = line[end:]
    return [*lines, line]


def _find_end(text: str, width: int) -> int:
    """Returns how many characters fit; a path is divided after a point."""
    end = columns = 0
    while end < len(text) and columns + cell_len(text[end]) <= width:
        columns += cell_len(text[end])
        end += 1
    point = text.rfind(".", 0, end) + 1
    return point or max(end, 1)


def print_telegram(values: Iterable[LocatedValue], *, unmasked: bool = False) -> None:
    """Prints the fields of a telegram; values that may be a customer's show their form alone."""
    rows = [
        [value.offset if value.offset >= 0 else "", value.length, value.type, _INDENT * value.depth + value.name, text]
        for value in values
        for text in [format_value(value, unmasked=unmasked)]
    ]
    print_wrapped(("offset", "length", "type", "name", "value"), rows, right={"offset", "length"})


def format_value(value: LocatedValue, *, unmasked: bool) -> str:
    """Returns the value of a field for people."""
    if value.plan is None:
        return f"{value.rows} row{'' if value.rows == 1 else 's'}"
    if value.plan.codec.kind is Kind.FILLER:
        return "" if not value.raw.strip(b" ") else "(not blank)"
    return value.value if unmasked else value.masked


def describe_values(values: Iterable[LocatedValue], *, unmasked: bool = False) -> list[dict[str, Any]]:
    """Returns the fields of a telegram for machines; `raw` is hex, and only there with `unmasked`."""
    return [
        {
            "offset": value.offset,
            "length": value.length,
            "type": value.type,
            "name": value.path,
            **({"rows": value.rows} if value.plan is None else {"value": value.value if unmasked else value.masked}),
            **({"raw": value.raw.hex()} if unmasked and value.plan is not None else {}),
        }
        for value in values
    ]
