"""`relay telegram encode`: telegrams from values."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from relay.domain.fault import Refusal
from relay.policy.mediation.conversion import CONTEXT_NAMES, Call, Conversion, add_position, build_context
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.inspection import encode_response
from relay.policy.mediation.link import LineAction, Link
from relay.policy.mediation.telegram.plan import find_groups, iter_fields
from relay.runtime.commands.options import config_option
from relay.runtime.commands.printing import EXIT_FAILED, EXIT_UNUSABLE, exit_with
from relay.runtime.commands.telegram.given_values import build_call, check_names, parse_moment, read_values
from relay.runtime.commands.telegram.layouts import Layouts, open_layouts
from relay.runtime.commands.telegram.telegram_input import format_hex

_POSITION_NAMES: Final = ("rows", "page", "key", "sequence")
_EXAMPLE_CODE: Final = "ZBAC000001"


@click.command(
    "encode",
    epilog="""\b
Examples:
  relay telegram encode ZBAC000001 BA02 account_num=110200300400
  relay telegram encode ZBAC000001 BA04 --values call.json
  relay telegram encode ZBAC000001 BA04 account_num=1 rows=20 \\
      key.next_date=20260102 key.next_no=12 page=next
  relay telegram encode ZBAC000001 BA04 --response --values answer.json
  relay telegram encode ZBAC000001 --line test
  relay telegram encode ZBAC000001 BA02 account_num=1 -o request.bin
\b
LAYOUT is the file of an API, a folder with link.yaml, or an org_code.
A request has parameters of the API, and values of the call: org_code,
user_ci, client_id, tran_id, api_type, rows, page, key, sequence.
A response has values by field name; --values gives lists, too:
  {"resp_code": "0000", "trans_list": [{"tran_date": "20260131"}]}
Fields that repeat a value of the request have it by that name:
org_code, account_num and so on. Prints hex; -o writes raw bytes.
Exit code 1 when a value does not fit its field, 2 for wrong arguments.""",
)
@click.argument("layout")
@click.argument("api", required=False)
@click.argument("values", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--values", "file", type=click.Path(path_type=Path), metavar="FILE", help="A JSON object of values.")
@click.option("--response", is_flag=True, help="Encode a response; default: a request.")
@click.option("--line", type=click.Choice(["start", "test", "end"]), help="Encode a telegram of line management.")
@click.option("--number", default="1", show_default=True, help="The unique number.")
@click.option("--now", "moment", metavar="TIME", help="Time of the telegram, YYYYMMDDHHMMSS; default: now.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write raw bytes to this file.")
@config_option
def encode(  # noqa: PLR0913, PLR0917 - the options of the command
    layout: str,
    api: str | None,
    values: tuple[str, ...],
    file: Path | None,
    response: bool,
    line: LineAction | None,
    number: str,
    moment: str | None,
    output: Path | None,
    path: Path,
) -> None:
    """Encode a telegram from values and print it as hex."""
    layouts = open_layouts(layout, path)
    if api is not None and "=" in api:
        values, api = (api, *values), None
    api = api or (next(iter(layouts.messages)) if len(layouts.messages) == 1 else None)
    now = parse_moment(moment, time.time())
    given = read_values(values, file)
    try:
        if line is not None:
            telegram = _encode_line(layouts, line, number, now)
        elif api is None:
            exit_with(f"{layout}: the API is missing; expected: one of {', '.join(layouts.messages)}", EXIT_UNUSABLE)
        elif response:
            telegram = _encode_response(layouts.get(api), given, layouts.org_code or _EXAMPLE_CODE, number, now)
        else:
            telegram = _encode_request(layouts.get(api), given, layouts.org_code or _EXAMPLE_CODE, number, now)
    except ConversionError as error:
        exit_with(str(error), EXIT_FAILED)
    except Refusal as refusal:
        exit_with(f"{refusal.detail}: is refused with {refusal.fault.rsp_code}", EXIT_FAILED)
    write_telegram(telegram, output)


def write_telegram(telegram: bytes, output: Path | None) -> None:
    """Prints a telegram as hex, or writes it to a file that only its owner can read."""
    if output is None:
        click.echo(format_hex(telegram))
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(telegram)
    except OSError as error:
        exit_with(f"{output}: cannot be written ({error.strerror})", EXIT_UNUSABLE)
    click.echo(f"{output}: {len(telegram)} bytes")


def _encode_line(layouts: Layouts, action: LineAction, number: str, now: float) -> bytes:
    link: Link = layouts.link
    management = link.settings.management
    if management is None or action not in management.codes:
        exit_with(f"{layouts.name}: line management has no {action} in link.yaml", EXIT_UNUSABLE)
    return link.encode_line_request(action, build_context(Call(layouts.org_code or _EXAMPLE_CODE, {}), number, now))


def _encode_request(conversion: Conversion, values: Mapping[str, Any], org_code: str, number: str, now: float) -> bytes:
    position = {name: str(value) for name, value in values.items() if name in _POSITION_NAMES or name[:4] == "key."}
    call = build_call(conversion, {name: value for name, value in values.items() if name not in position}, org_code)
    context = build_context(call, number, now)
    if conversion.paging is not None:
        key = [position.get(f"key.{name}", "") for name in conversion.paging.key]
        add_position(context, conversion.paging, key, conversion.paging.rows)
    return conversion.encode_request(context | position)


def _encode_response(
    conversion: Conversion, values: Mapping[str, Any], org_code: str, number: str, now: float
) -> bytes:
    parts = conversion.response.parts
    names = {plan.name for plan in iter_fields(parts)} | set(find_groups(parts))
    variables = {plan.variable for plan in iter_fields(parts) if plan.variable}
    check_names(values, names | variables | set(CONTEXT_NAMES), f"field of the response of {conversion.name}")
    own = {name: value for name, value in values.items() if name in names}
    _check_rows(own)
    texts = {name: str(value) for name, value in values.items() if name not in names}
    context = build_context(Call(org_code, {}), number, now) | texts
    success = next((code for code, rsp_code in conversion.codes.codes.items() if rsp_code == "00000"), "")
    return encode_response(conversion, {conversion.codes.field: success, **own}, context)


def _check_rows(values: Mapping[str, Any]) -> None:
    """Ends the command for values that are neither scalars nor lists of objects."""
    for name, value in values.items():
        if isinstance(value, list):
            if not all(isinstance(row, dict) for row in value):
                exit_with(f"{name}: is no list of objects; expected: one object for each row", EXIT_UNUSABLE)
            for row in value:
                _check_rows(row)
        elif isinstance(value, dict | bool | float) or value is None:
            exit_with(f"{name}: is neither text nor a list; expected: a value in quotes", EXIT_UNUSABLE)
