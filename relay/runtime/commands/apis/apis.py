"""`relay apis`: prints the 91 APIs of the standard as a table or as documents."""

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from relay.domain.api import Api
from relay.domain.ids import INDUSTRIES
from relay.policy.documents.json_schema import build_json_schema
from relay.policy.documents.openapi import build_openapi
from relay.policy.documents.postman import build_postman
from relay.policy.documents.source import GROUPS
from relay.runtime.commands.apis.document_source import load_document_source
from relay.runtime.commands.apis.field_rows import build_api_object
from relay.runtime.commands.apis.table import format_table
from relay.standard.catalogue import load_catalogue

_TABLE: Final = "table"
_JSON: Final = "json"
_BUILDERS: Final[Mapping[str, Callable[..., dict[str, Any]]]] = {
    "openapi": build_openapi,
    "json_schema": build_json_schema,
    "postman": build_postman,
}
"""Documents by the name of their option."""


@click.command("apis")
@click.option(
    "--industry",
    "industries",
    multiple=True,
    type=click.Choice(INDUSTRIES),
    help="Only the data APIs of this industry; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array, with every request and response field.")
@click.option("--openapi", is_flag=True, help="An OpenAPI 3.1 document, with error answers and examples.")
@click.option("--json-schema", is_flag=True, help="JSON Schemas of all request and response bodies.")
@click.option("--postman", is_flag=True, help="A Postman collection (format 2.1).")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
def command(industries: tuple[str, ...], *, as_json: bool, output: Path | None, **documents: bool) -> None:
    """Print the 91 APIs of the standard, as a table or as a document.

    The table of an industry also shows APIs that it must offer later (선불카드 for bank), marked "(later)"; so do
    OpenAPI, JSON Schema and Postman. --json holds the APIs that it must offer today: their "industries" name it.

    \b
    Examples:
      relay apis
      relay apis --industry card --industry efin
      relay apis --json | jq '.[] | select(.api_code == "BA04") | .request.body'
      relay apis --openapi --industry bank --output bank.json
      relay apis --json-schema | jq '."$defs".BA04_Response'
      relay apis --postman --output mydata.postman_collection.json
    """  # noqa: D301 - click's \b keeps the lines of the examples
    forms = [name for name, is_chosen in {_JSON: as_json, **documents}.items() if is_chosen] or [_TABLE]
    if len(forms) > 1:
        raise click.UsageError("give one of --json, --openapi, --json-schema and --postman")
    _write(_build_text(forms[0], industries, None if output or not sys.stdout.isatty() else _get_width()), output)


def _get_width() -> int:
    return shutil.get_terminal_size().columns


def _build_text(form: str, industries: tuple[str, ...], width: int | None) -> str:
    if form in _BUILDERS:
        document = _BUILDERS[form](load_document_source(), industries or GROUPS)
        return json.dumps(document, ensure_ascii=False, indent=2)
    is_json = form == _JSON
    apis = [api for api in load_catalogue().apis.values() if _is_offered(api, industries, later=not is_json)]
    if is_json:
        return json.dumps([build_api_object(api) for api in apis], ensure_ascii=False, indent=2)
    return "\n".join(format_table(apis, width))


def _is_offered(api: Api, industries: Iterable[str], *, later: bool) -> bool:
    offered = api.industries + (api.later if later else ())
    return not industries or any(industry in offered for industry in industries)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text)
        return
    try:
        output.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror}") from error
