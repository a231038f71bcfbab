"""`relay telegram decode`: telegrams as tables, and the answers that responses become."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from relay.domain.fault import Refusal
from relay.policy.mediation.conversion import UNKNOWN_CODE, Conversion
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.located_values import mask_body
from relay.policy.mediation.paging.collection import Answer
from relay.policy.mediation.telegram_reading import (
    ReadTelegram,
    Side,
    build_single_answer,
    read_telegram,
    split_telegrams,
)
from relay.runtime.commands.options import config_option, json_option
from relay.runtime.commands.printing import EXIT_FAILED, EXIT_UNUSABLE, exit_with
from relay.runtime.commands.telegram.layouts import Layouts, open_layouts
from relay.runtime.commands.telegram.tables import describe_values, print_telegram
from relay.runtime.commands.telegram.telegram_input import Form, read_input

form_option = click.option(
    "--form",
    type=click.Choice([form.value for form in Form]),
    default=Form.AUTO.value,
    show_default=True,
    help="How the telegram is given: hex digits or dumps, raw bytes.",
)


@click.command(
    "decode",
    short_help="Decode telegrams to fields, and responses to JSON.",
    epilog="""\b
Examples:
  relay telegram decode ZBAC000001 captured.hex
  relay telegram decode ZBAC000001 captured.bin --api BA04
  relay telegram decode config/providers/NAME/telegrams 3030...
  tcpdump ... | relay telegram decode ZBAC000001 -
  relay telegram decode ZBAC000001 response.hex --unmasked --json
\b
LAYOUT is the file of an API, a folder with link.yaml, or an org_code.
TELEGRAM is a file, - for standard input, or hex digits. Hex may be
plain or a dump (xxd, hexdump -C, Wireshark); several telegrams may
follow each other. Each begins with its length field.
Values are masked: 9 for digits, x for letters, 가 for others. The input
is data of your own machine, so --unmasked may show it: use it with
test customers only, or where the output stays on that machine.
Exit code 0 when all is decoded, 1 when a telegram does not fit its
layout (the error names the offset), 2 when nothing could be read.""",
)
@click.argument("layout")
@click.argument("telegram")
@click.option("--api", help="The API of the telegram; default: by its transaction code.")
@click.option("--request", "side", flag_value="request", help="It is a request; default: by its message type.")
@click.option("--response", "side", flag_value="response", help="It is a response.")
@click.option("--unmasked", is_flag=True, help="Show the values as they are.")
@form_option
@config_option
@json_option
def decode(  # noqa: PLR0913 - the options of the command
    layout: str,
    telegram: str,
    api: str | None,
    side: str | None,
    unmasked: bool,
    form: str,
    path: Path,
    *,
    as_json: bool,
) -> None:
    """Decode a telegram: a request, a response or one of line management.

    Prints each field with its offset and value, and for a response the JSON of the standard that it becomes.
    """
    layouts = open_layouts(layout, path)
    link = layouts.link
    data = read_input(telegram, link.framing, link.settings.charset, Form(form))
    try:
        parts = split_telegrams(link, data)
    except ConversionError as error:
        hint = f"the input has {len(data)} bytes; does it begin with the length field of {link.framing.end} bytes?"
        exit_with(f"{error}; {hint}", EXIT_FAILED)
    conversions = [layouts.get(api)] if api else _list_conversions(layouts)
    if "code" not in link.names and len(conversions) > 1:
        exit_with("--api: is missing, and the header has no transaction code; expected: the API", EXIT_UNUSABLE)
    chosen = None if side is None else Side(side)
    shown = [_describe(read_telegram(link, conversions, each, chosen), unmasked=unmasked) for each in parts]
    if as_json:
        click.echo(json.dumps([each for each, _ in shown], ensure_ascii=False, indent=2))
    else:
        for index, (each, read) in enumerate(shown):
            click.echo("\n" * bool(index), nl=False)
            _print(each, read, unmasked=unmasked)
    errors = [each["error"] for each, _ in shown if each["error"]]
    if errors:
        exit_with("\n".join(errors), EXIT_FAILED)


def _list_conversions(layouts: Layouts) -> Sequence[Conversion]:
    return list(layouts.institution.conversions.values())


def _describe(telegram: ReadTelegram, *, unmasked: bool) -> tuple[dict[str, Any], ReadTelegram]:
    """Returns a telegram for machines, and the telegram."""
    conversion, header = telegram.conversion, telegram.header
    error = "" if telegram.error is None else str(telegram.error)
    answer: dict[str, Any] | None = None
    if not error and conversion is not None and telegram.side is Side.RESPONSE:
        answer, error = build_answer(conversion, telegram.data, unmasked=unmasked)
    if not error and telegram.side is Side.UNKNOWN and header is not None:
        error = f"header: no layout has the message type {header.kind!r} with the transaction code {header.code!r}"
    shown = {
        "message": telegram.name,
        "bytes": len(telegram.data),
        "line": None if header is None else header.line,
        "fields": describe_values(telegram.values, unmasked=unmasked),
        "answer": answer,
        "error": error,
    }
    return shown, telegram


def build_answer(conversion: Conversion, data: bytes, *, unmasked: bool) -> tuple[dict[str, Any] | None, str]:
    """Returns status and JSON of the standard for one response, or None and why there is none."""
    try:
        answer = build_single_answer(conversion, data)
    except ConversionError as error:
        return None, str(error)
    except Refusal as refusal:  # no telegram leads here; a change of the paging could
        return None, f"{conversion.name} response: {refusal.detail}"
    return describe_answer(conversion, answer, unmasked=unmasked), ""


def describe_answer(conversion: Conversion, answer: Answer, *, unmasked: bool = False) -> dict[str, Any]:
    """Returns an answer of the standard for machines. `note` says when the core's response code has no row."""
    body = json.loads(answer.body)
    if "next_page" in body:
        body["next_page"] = "(sealed)"
    is_known = answer.core_code in conversion.codes.codes
    note = f"response code {answer.core_code or 'blank'} has no row in response_code.codes: it becomes {UNKNOWN_CODE}"
    return {
        "status": answer.status,
        "rsp_code": answer.rsp_code,
        "core_code": answer.core_code,
        "note": "" if is_known else note,
        "body": body if unmasked else mask_body(body, conversion),
    }


def _print(shown: dict[str, Any], telegram: ReadTelegram, *, unmasked: bool) -> None:
    line = f", {telegram.header.line}" if telegram.header is not None and telegram.header.line else ""
    click.echo(f"{shown['message']}{line}: {shown['bytes']} bytes")
    print_telegram(telegram.values, unmasked=unmasked)
    if shown["answer"]:
        print_answer(shown["answer"])


def print_answer(answer: dict[str, Any]) -> None:
    """Prints the answer of the standard."""
    click.echo(f"\nanswer: {answer['status']}, rsp_code {answer['rsp_code']} (core {answer['core_code'] or 'blank'})")
    click.echo(json.dumps(answer["body"], ensure_ascii=False, indent=2))
    if answer["note"]:
        click.echo(f"note: {answer['note']}")
