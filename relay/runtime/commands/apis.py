"""`relay apis`: prints the 91 APIs of the standard as a table or as JSON."""

import dataclasses
import json
import sys
from collections.abc import Iterable
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.table import Column, Table

from relay.domain.api import Api, Field, Message, Presence
from relay.domain.ids import INDUSTRIES
from relay.standard.catalogue import load_catalogue

_COLUMNS: Final = ("api_id", "api_code", "name", "method", "path", "industries", "cycle", "scope")
_WHOLE: Final = frozenset({"api_id", "api_code", "method", "cycle"})
_REQUIRED: Final = {Presence.REQUIRED: True, Presence.OPTIONAL: False, Presence.CONDITIONAL: "C"}
_PLACES: Final = ("header", "path", "query", "body")
_UNBOUND_WIDTH: Final = 10_000


@click.command("apis")
@click.option(
    "--industry",
    "industries",
    multiple=True,
    type=click.Choice(INDUSTRIES),
    help="Only the data APIs of this industry; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array, with every request and response field.")
def command(industries: tuple[str, ...], *, as_json: bool) -> None:
    """Print the 91 APIs of the standard, as a table or as JSON.

    The table of an industry also shows APIs that it must offer later (선불카드 for bank), marked "(later)". JSON holds
    the APIs that it must offer today: their "industries" name it.

    \b
    Examples:
      relay apis
      relay apis --industry card --industry efin
      relay apis --json | jq '.[] | select(.api_code == "BA04") | .request.body'
    """  # noqa: D301 - click's \b keeps the lines of the examples
    apis = [api for api in load_catalogue().apis.values() if _is_offered(api, industries, later=not as_json)]
    if as_json:
        click.echo(json.dumps([_api(api) for api in apis], ensure_ascii=False, indent=2))
    else:
        _print(apis)


def _is_offered(api: Api, industries: Iterable[str], *, later: bool) -> bool:
    offered = api.industries + (api.later if later else ())
    return not industries or any(industry in offered for industry in industries)


def _path(api: Api) -> str:
    """Returns the path with the industry filled in when there is only one."""
    return api.path_for(api.industries[0]) if len(api.industries + api.later) == 1 else api.path


def _list_industries(api: Api, *, short: bool) -> str:
    names = ["all"] if short and api.industries == INDUSTRIES else list(api.industries)
    return " ".join([*names, *(f"{industry} (later)" for industry in api.later)])


def _print(apis: list[Api]) -> None:
    """Prints a table that wraps at the width of the terminal; a pipe gets whole lines."""
    is_terminal = sys.stdout.isatty()
    console = Console(highlight=False, markup=False, width=None if is_terminal else _UNBOUND_WIDTH)
    columns = (Column(name, overflow="fold", no_wrap=name in _WHOLE) for name in _COLUMNS)
    table = Table(*columns, box=box.SIMPLE_HEAD if is_terminal else None, pad_edge=False)
    for api in apis:
        industries = _list_industries(api, short=is_terminal)
        cells = (api.api_id, api.api_code, api.name, api.method, _path(api), industries, api.cycle or "", api.scope)
        table.add_row(*(cell or "-" for cell in cells))
    console.print(table)


def _api(api: Api) -> dict[str, Any]:
    period = api.period
    return {
        "api_id": api.api_id,
        "api_code": api.api_code or None,
        "name": api.name,
        "name_en": api.name_en,
        "method": api.method,
        "path": _path(api),
        "version": api.version or None,
        "industries": api.industries,
        "later": api.later,
        "cycle": api.cycle,
        "scope": api.scope or None,
        "period": dataclasses.asdict(period) if period else None,
        "request": _message(api.request),
        "response": _message(api.response),
    }


def _message(message: Message) -> dict[str, Any]:
    return {place: [_field(field) for field in getattr(message, place)] for place in _PLACES}


def _field(field: Field) -> dict[str, Any]:
    row = {
        "name": field.name,
        "type": field.type,
        "length": int(field.length) if field.length.isdecimal() else field.length or None,
        "required": _REQUIRED[field.presence],
        "label": field.label,
    }
    if field.codes:
        row["codes"] = field.codes
    if field.condition:
        row["condition"] = field.condition
    if field.fields:
        row["fields"] = [_field(member) for member in field.fields]
    return row
