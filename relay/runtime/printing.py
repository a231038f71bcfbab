"""What commands print for people: tables that fit 80 columns, moments as a clock on the wall says them."""

import sys
from collections.abc import Collection, Iterable
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

_UNBOUND_WIDTH: Final = 10_000
_ISO_MINUTES: Final = 16
_ISO_SECONDS: Final = 19


def print_table(heads: Iterable[str], rows: Iterable[Iterable[object]], right: Collection[str] = ()) -> None:
    """A table without lines. Columns named in `right` are figures; the last column is the one that may be long.

    A pipe gets whole lines, however long; in a terminal the last column folds, and nothing is lost.
    """
    table = Table(box=None, pad_edge=False, header_style="")
    names = tuple(heads)
    for name in names:
        table.add_column(name, justify="right" if name in right else "left", no_wrap=name != names[-1], overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    width = None if sys.stdout.isatty() else _UNBOUND_WIDTH
    console = Console(width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        click.echo(line.rstrip())


def clock(moment: str | None, otherwise: str = "never", *, seconds: bool = True) -> str:
    """A moment told as ISO 8601 in Korea, without what everybody knows; `otherwise` for None."""
    if moment is None:
        return otherwise
    return moment[: _ISO_SECONDS if seconds else _ISO_MINUTES].replace("T", " ")


def counted(count: int, one: str, many: str = "") -> str:
    """`1 change`, `2 changes`; `many` where an s does not make it."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def rows_of(told: Iterable[dict[str, Any]], *names: str) -> Iterable[list[Any]]:
    """Rows of a table from what is told as JSON, `-` where there is nothing."""
    return ([one[name] if one[name] not in (None, "") else "-" for name in names] for one in told)
