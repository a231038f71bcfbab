"""`relay telegram show`: layouts as tables."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

from relay.policy.mediation.conversion import Conversion
from relay.policy.mediation.field_uses import (
    Path as FieldPath,
)
from relay.policy.mediation.field_uses import (
    describe_demand,
    describe_source,
    find_answer_uses,
    iter_counts,
    iter_plans,
)
from relay.policy.mediation.inspection import LayoutRow, describe_layout
from relay.policy.mediation.link import Link
from relay.policy.mediation.located_values import describe_type, describe_words
from relay.policy.mediation.settings import TelegramMessage
from relay.policy.mediation.telegram.plan import MessagePlan, get_size
from relay.runtime.commands.options import config_option, json_option
from relay.runtime.commands.printing import print_table
from relay.runtime.commands.telegram.layouts import Layouts, open_layouts
from relay.runtime.commands.telegram.tables import print_wrapped

_HEADS: Final = ("offset", "length", "type", "name")
_REQUEST: Final = "comes from"
_RESPONSE: Final = "goes to, or must be"


@click.command(
    "show",
    epilog="""\b
Examples:
  relay telegram show config/providers/NAME/telegrams/BA04.yaml
  relay telegram show config/providers/NAME/telegrams
  relay telegram show ZBAC000001            the link and all APIs
  relay telegram show ZBAC000001 BA04       request and response
  relay telegram show ZBAC000001 BA04 --json
\b
LAYOUT is the file of an API, a folder with link.yaml, or an org_code.
Of a folder or org_code without API: the link and the list of APIs.
Offsets count bytes from the start of the telegram, the length field
included; in lists, marked +, from the start of the row.
Exit code 2 when the layout cannot be used; its problems are printed.""",
)
@click.argument("layout")
@click.argument("api", required=False)
@config_option
@json_option
def show(layout: str, api: str | None, path: Path, *, as_json: bool) -> None:
    """Show a layout as a table with offsets.

    For each field: offset, length, type, and where it comes from (request) or what it becomes in the answer of the
    standard (response).
    """
    layouts = open_layouts(layout, path)
    is_file = Path(layout).is_file() and len(layouts.messages) == 1
    if api is None and is_file:
        api = next(iter(layouts.messages))
    if api is None:
        _show_link(layouts, as_json=as_json)
        return
    conversion = layouts.get(api)
    shown = describe_conversion(conversion, layouts.messages[conversion.name])
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    click.echo(f"{conversion.api.api_id} {conversion.name}: {conversion.api.name}, transaction code {conversion.code}")
    for side, head in (("request", _REQUEST), ("response", _RESPONSE)):
        plan: MessagePlan = getattr(conversion, side)
        click.echo(f"\n{side}: {_describe_size(plan)}")
        _print_rows(shown[side], head)


def _describe_size(plan: MessagePlan) -> str:
    smallest, largest = get_size(plan.parts), get_size(plan.parts, largest=True)
    return f"{smallest} bytes" if smallest == largest else f"{smallest} to {largest} bytes"


def describe_conversion(conversion: Conversion, message: TelegramMessage) -> dict[str, Any]:
    """Returns the tables of request and response for machines."""
    return {
        "api": conversion.name,
        "api_id": conversion.api.api_id,
        "code": conversion.code,
        "request": _describe_request(conversion),
        "response": _describe_response(conversion, message),
    }


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the table and the path of its field."""

    row: LayoutRow
    path: FieldPath
    type: str
    key: str


def _iter_rows(plan: MessagePlan) -> list[_Row]:
    """Returns the rows of a table with the path of each."""
    plans = dict(iter_plans(plan.parts))
    rows: list[_Row] = []
    path: list[str] = []
    for row in describe_layout(plan):
        path = path[: row.depth]
        place = (*path, row.name)
        field = plans.get(place) if row.name and row.type != "list" else None
        kind = "list" if row.type == "list" else f"{row.type}({row.length})" if field is None else describe_type(field)
        words = "" if field is None else describe_words(field)
        rows.append(_Row(replace(row, note=", ".join(filter(None, (words, row.note)))), place, kind, row.name))
        if row.type == "list":
            path.append(row.name)
    return rows


def _build_row(entry: _Row, use: str) -> dict[str, Any]:
    row = entry.row
    return {
        "depth": row.depth,
        "offset": row.offset,
        "length": row.length,
        "type": entry.type,
        "name": row.name or row.type,
        "use": use,
        "note": row.note,
    }


def _describe_request(conversion: Conversion) -> list[dict[str, Any]]:
    plans = dict(iter_plans(conversion.request.parts))
    return [
        _build_row(entry, describe_source(plans[entry.path], conversion) if entry.path in plans and entry.key else "")
        for entry in _iter_rows(conversion.request)
    ]


def _describe_response(conversion: Conversion, message: TelegramMessage) -> list[dict[str, Any]]:
    plans = dict(iter_plans(conversion.response.parts))
    uses = find_answer_uses(conversion.api, message, conversion)
    counts: Mapping[FieldPath, str] = dict(iter_counts(conversion.response.parts))
    rows = []
    for entry in _iter_rows(conversion.response):
        parts = list(uses.get(entry.path, ()))
        if entry.path in plans and entry.key:
            demand = describe_demand(plans[entry.path], conversion)
            parts += [demand] if demand else []
        if entry.path in counts:
            parts.append(f"number of rows of {counts[entry.path]}")
        rows.append(_build_row(entry, "; ".join(dict.fromkeys(parts))))
    return rows


def _print_rows(rows: list[dict[str, Any]], head: str) -> None:
    cells = []
    for row in rows:
        offset = "" if row["offset"] is None else f"{'+' if row['depth'] else ''}{row['offset']}"
        text = "; ".join(part for part in (row["use"], row["note"]) if part)
        cells.append([offset, row["length"] or "", row["type"], "  " * row["depth"] + row["name"], text])
    print_wrapped((*_HEADS, head), cells, right={"offset", "length"})


def _show_link(layouts: Layouts, *, as_json: bool) -> None:
    link = layouts.link
    apis = [
        {
            "api": each.name,
            "api_id": each.api.api_id,
            "code": each.code,
            "request": get_size(each.request.parts, largest=True),
            "response": get_size(each.response.parts, largest=True),
            "name": each.api.name,
        }
        for each in layouts.institution.conversions.values()
    ]
    if as_json:
        settings = link.settings.model_dump(mode="json", include={"charset", "framing", "kinds", "response_code"})
        header = [_build_row(entry, entry.row.value) for entry in _iter_rows(link.header)]
        click.echo(json.dumps({**settings, "header": header, "apis": apis}, ensure_ascii=False, indent=2))
        return
    click.echo(f"charset {link.settings.charset}; {describe_framing(link)}")
    click.echo(f"\nheader: {get_size(link.header.header)} bytes")
    header_rows = [_build_row(entry, entry.row.value) for entry in _iter_rows(link.header)]
    _print_rows(header_rows, "value")
    codes = link.settings.response_code
    click.echo(f"\nresponse codes in {codes.field}; all others are 50005")
    print_table(("code", "rsp_code"), codes.codes.items())
    if link.settings.management is not None:
        management = link.settings.management
        actions = ", ".join(f"{action} {code}" for action, code in management.codes.items())
        kinds = management.kinds
        click.echo(f"\nline management: {kinds.request}, answer {kinds.response}; {management.field}: {actions}")
    click.echo("\nAPIs, with the largest request and response in bytes")
    names = ("api", "code", "request", "response", "name")
    print_table(names, ([row[name] for name in names] for row in apis), right={"request", "response"})


def describe_framing(link: Link) -> str:
    """Returns how the length field counts, in words."""
    framing = link.settings.framing
    kind = "digits" if framing.encoding == "ascii" else f"bytes ({framing.encoding})"
    counted = "all bytes of the telegram" if framing.counts == "all" else "the bytes after them"
    added = f", and {-framing.add} more" if framing.add < 0 else f", less {framing.add}" if framing.add else ""
    return f"{framing.length} {kind} at offset {framing.offset} count {counted}{added}"
