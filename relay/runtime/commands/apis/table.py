"""Lines of the table of APIs: one for each API, or two where a terminal is too narrow for one."""

from collections.abc import Iterable, Iterator
from typing import Final

from rich.cells import cell_len

from relay.domain.api import Api
from relay.domain.ids import INDUSTRIES

COLUMNS: Final = ("api_id", "api_code", "name", "method", "path", "industries", "cycle", "scope")
_FIRST_LINE: Final = ("api_id", "api_code", "method", "path")
_SECOND_LINE: Final = ("name", "industries", "cycle", "scope")
_BETWEEN: Final = "  "
_INDENT: Final = "  "
_LATER: Final = " (later)"
_NOTE: Final = "* to be offered at a later date"


def fill_path(api: Api) -> str:
    """Returns the path with the industry filled in when there is only one."""
    return api.path_for(api.industries[0]) if len(api.industries + api.later) == 1 else api.path


def format_table(apis: Iterable[Api], width: int | None = None) -> list[str]:
    """Returns the lines of the table. `width` is that of a terminal, None for a pipe, which gets whole lines.

    A terminal that is too narrow for a line gets two lines for each API, which fit 80 columns.
    """
    rows = [_build_row(api, short=width is not None) for api in apis]
    lines = list(_align(rows, COLUMNS))
    if width is None or max(map(cell_len, lines)) <= width:
        return lines
    heads, *first_lines = _align(rows, _FIRST_LINE)
    second_lines = (_INDENT + _BETWEEN.join(row[name] for name in _SECOND_LINE if row[name] != "-") for row in rows)
    pairs = zip(first_lines, second_lines, strict=True)
    lines = [heads, _INDENT + _BETWEEN.join(_SECOND_LINE), *(line for pair in pairs for line in pair)]
    are_later = any(_LATER in line for line in lines)
    return [line.replace(_LATER, "*") for line in lines] + [_NOTE] * are_later


def _align(rows: list[dict[str, str]], names: tuple[str, ...]) -> Iterator[str]:
    """Yields the heads and the rows with aligned columns."""
    table = [dict(zip(names, names, strict=True)), *rows]
    widths = {name: max(cell_len(row[name]) for row in table) for name in names}
    for row in table:
        yield _BETWEEN.join(row[name] + " " * (widths[name] - cell_len(row[name])) for name in names).rstrip()


def _build_row(api: Api, *, short: bool) -> dict[str, str]:
    cells = (
        *(api.api_id, api.api_code, api.name, api.method, fill_path(api)),
        *(_list_industries(api, short=short), api.cycle or "", api.scope),
    )
    return {name: cell or "-" for name, cell in zip(COLUMNS, cells, strict=True)}


def _list_industries(api: Api, *, short: bool) -> str:
    names = ["all"] if short and api.industries == INDUSTRIES else list(api.industries)
    return " ".join([*names, *(f"{industry}{_LATER}" for industry in api.later)])
