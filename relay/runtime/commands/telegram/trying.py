"""`relay telegram try`: one call end to end, over a real line to the core."""

import asyncio
import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from relay.domain.api import SUCCESS_CODES
from relay.domain.fault import Refusal
from relay.infra.telegrams.lines import UNOPENED, Lines
from relay.infra.upstream.tls import TlsError
from relay.policy.mediation.conversion import Call, Conversion
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.telegram_reading import Side, read_telegram
from relay.policy.settings.core import CoreSettings, split_address
from relay.policy.settings.directory import Provider
from relay.runtime.commands.options import config_option, json_option
from relay.runtime.commands.printing import EXIT_FAILED, EXIT_UNUSABLE, exit_with
from relay.runtime.commands.telegram.decode import describe_answer, print_answer
from relay.runtime.commands.telegram.encode import write_telegram
from relay.runtime.commands.telegram.given_values import build_call, read_values
from relay.runtime.commands.telegram.layouts import Layouts, find_institution, open_institution
from relay.runtime.commands.telegram.line_trial import LineTrial, Trial, TriedTelegram
from relay.runtime.commands.telegram.tables import describe_values, print_telegram
from relay.runtime.settings.file_references import SecretMissing
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.wiring.credentials import CredentialError, build_institution_context

_ADVICE: Final[Mapping[str, str]] = {
    "connect_refused": "no program listens at this address; compare core.addresses with the bank, and its firewall",
    "connect_timeout": "nothing answers at this address; is the leased line up, does a firewall drop our address?",
    "connect_unreachable": "there is no route to this address; is the leased line up?",
    "connect_reset": "the core closes the line; does it allow our address, and one more line than the adapter has?",
    "provider_reset": "the core closed the line; many cores do so for a header or length that they do not know",
    "provider_silent": "no response with our unique number came; compare transaction code, header and framing",
    "queue_timeout": "the line was in use until the end",
    "conversion_failed": "bytes and layout differ; `relay telegram decode` shows such a telegram field by field",
}
"""What to do, by the name of the fault."""

_PASSIVE_S: Final = 60.0
"""Seconds to wait for a line that the core opens."""

_OPENING_ADVICE: Final[Mapping[str, str]] = {
    "provider_silent": "the core does not answer the start of the line; compare `management` in link.yaml with it",
    "conversion_failed": "the core answers the start of the line with something else; compare framing and header",
}
"""What to do when the connection is open, but not the line."""

_START_REFUSED: Final = "the core refuses the start of the line; compare `management` and its `ok` in link.yaml"
_PASSIVE: Final = "the core has opened no line; it must connect to core.listen from core.peers; is the adapter stopped?"


@click.command(
    "try",
    epilog="""\b
Examples:
  relay telegram try ZBAC000001 BA02 account_num=110200300400 seqno=001
  relay telegram try ZBAC000001 BA04 account_num=1 from_date=20260101 \\
      to_date=20260131 limit=20 --pages 3
  relay telegram try ZBAC000001 BA01 user_ci=... --json
  relay telegram try ZBAC000001 BA02 account_num=1 --save BA02.telegram
\b
Opens one line to the first of core.addresses (--address takes another),
or waits until the core opens one (core.listen: stop the adapter first).
Prints request, response and the answer of the standard; all values of
customers are masked, because they come from a real core. --save keeps
the telegrams of one page as they are, for `relay telegram test`: test
customers only.
user_ci, client_id, tran_id and api_type have fictitious defaults.
Exit code 0 for a success of the standard, 1 for a failure, 2 when the
settings or arguments cannot be used.""",
)
@click.argument("org_code")
@click.argument("api")
@click.argument("values", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--values", "file", type=click.Path(path_type=Path), metavar="FILE", help="A JSON object of values.")
@click.option(
    "--pages", type=click.IntRange(1, 100), default=1, show_default=True, metavar="COUNT", help="Pages to follow."
)
@click.option("--address", metavar="HOST:PORT", help="One of core.addresses; default: the first.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write all telegrams to this file.")
@config_option
@json_option
def try_(  # noqa: PLR0913, PLR0917 - one argument for each option
    org_code: str,
    api: str,
    values: tuple[str, ...],
    file: Path | None,
    pages: int,
    address: str | None,
    save: Path | None,
    path: Path,
    *,
    as_json: bool,
) -> None:
    """Make one call over a real line and show both sides, masked."""
    if save is not None and pages > 1:
        exit_with("--save: one golden file is one call; expected: --pages 1", EXIT_UNUSABLE)
    loaded, provider = find_institution(org_code, path)
    layouts = open_institution(loaded, provider)
    conversion = layouts.get(api)
    call = build_call(conversion, read_values(values, file), org_code)
    core = _choose_address(provider, address)
    if core.listen is not None:
        _check_free(core.listen)
    if not as_json:
        doing = (
            f"waits {_PASSIVE_S:.0f} s for a line at {core.listen}"
            if core.listen
            else f"opens a line to {core.addresses[0]}"
        )
        click.echo(f"{org_code} {conversion.name}: {doing}", err=True)
    try:
        trial = asyncio.run(_run(layouts, loaded, provider, core, conversion, call, pages))
    except (TlsError, CredentialError, SecretMissing) as error:
        exit_with(str(error), EXIT_UNUSABLE)
    if save is not None:
        write_telegram(_join_telegrams(trial), save)
    shown = describe_trial(layouts, conversion, core, trial)
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        _print(layouts, conversion, trial, shown)
    _exit(shown)


def _choose_address(provider: Provider, address: str | None) -> CoreSettings:
    """Returns the settings of one line to one address. Ends the command for an address that is none of them."""
    core = provider.core
    assert core is not None  # noqa: S101 - the model of the institution has checked
    if address is not None and address not in core.addresses:
        known = ", ".join(core.addresses) or "none: the core opens the lines"
        exit_with(f"{address}: is none of core.addresses; expected: one of {known}", EXIT_UNUSABLE)
    addresses = (address or core.addresses[0],) if core.addresses else ()
    return core.model_copy(update={"addresses": addresses, "lines": 1, "requests": 1})


def _check_free(listen: str) -> None:
    """Ends the command when another process has the address, usually the adapter."""
    host, port = split_address(listen)
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tested:
            tested.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tested.bind((host, port))
    except OSError as error:
        text = f"{listen}: cannot be used ({error.strerror}); expected: a free address, with the adapter stopped"
        exit_with(text, EXIT_UNUSABLE)


async def _run(
    layouts: Layouts,
    loaded: LoadedSettings,
    provider: Provider,
    core: CoreSettings,
    conversion: Conversion,
    call: Call,
    pages: int,
) -> Trial:
    timeouts = provider.timeouts or loaded.settings.upstream.timeouts
    context = build_institution_context(provider)
    lines = Lines(provider.org_code, layouts.link, core, context, timeouts.connect_s, time.time())
    seconds, passive_s = min(timeouts.first_byte_s, timeouts.total_s), _PASSIVE_S if core.listen else 0.0
    return await LineTrial(lines, conversion, seconds, passive_s).run(call, pages)


def _join_telegrams(trial: Trial) -> bytes:
    """Returns all telegrams; of requests without response only the last one, others were sent again."""
    telegrams = [each for page in trial.pages for each in page.telegrams]
    parts = [each.request + each.response for each in telegrams if each.response is not None]
    unanswered = [each.request for each in telegrams[-1:] if each.response is None]
    return b"".join([*parts, *unanswered])


def describe_trial(layouts: Layouts, conversion: Conversion, core: CoreSettings, trial: Trial) -> dict[str, Any]:
    """Returns what happened for machines; values of customers are masked."""
    error, advice = _describe_failure(core, trial)
    return {
        "org_code": layouts.org_code,
        "api": conversion.name,
        "address": core.listen or core.addresses[0],
        "line_ms": None if trial.line_ms is None else round(trial.line_ms, 1),
        "pages": [
            {
                "telegrams": [_describe_exchange(layouts, conversion, each) for each in page.telegrams],
                "answer": None if page.answer is None else describe_answer(conversion, page.answer),
            }
            for page in trial.pages
        ],
        "notes": trial.notes,
        "error": error,
        "advice": advice,
    }


def _describe_exchange(layouts: Layouts, conversion: Conversion, telegram: TriedTelegram) -> dict[str, Any]:
    request = read_telegram(layouts.link, [conversion], telegram.request, Side.REQUEST)
    shown: dict[str, Any] = {"ms": round(telegram.ms, 1), "request": describe_values(request.values), "response": None}
    if telegram.response is not None:
        response = read_telegram(layouts.link, [conversion], telegram.response, Side.RESPONSE)
        shown["response"] = describe_values(response.values)
    return shown


def _describe_failure(core: CoreSettings, trial: Trial) -> tuple[str, str]:
    """Returns what went wrong and what to do, "" for nothing."""
    failure = trial.failure
    if failure is None:
        return "", ""
    if isinstance(failure, ConversionError):
        return str(failure), _ADVICE["conversion_failed"]
    name, detail = failure.fault.name, failure.detail
    place = core.listen or core.addresses[0]
    if failure.fault.name == "parameter_malformed":
        return f"{detail}: is refused with {failure.fault.rsp_code}", "compare it with `relay apis --json`"
    if trial.line_ms is not None:
        return f"{place}: {name}: {detail} ({failure.fault.rsp_code})", _ADVICE.get(name, "")
    return _describe_opening(place, failure)


def _describe_opening(place: str, failure: Refusal) -> tuple[str, str]:
    """Returns why no line is open, and what to do."""
    name, detail = failure.fault.name, failure.detail
    if detail.startswith("line_start_refused: "):
        return f"{place}: {detail}", _START_REFUSED
    if UNOPENED in detail.split():
        return f"{place}: no line: {name}", _PASSIVE
    advice = _OPENING_ADVICE.get(name) or _ADVICE.get(name, "compare link, ca and certificate with the bank")
    return f"{place}: no line could be opened: {name}", advice


def _print(layouts: Layouts, conversion: Conversion, trial: Trial, shown: Mapping[str, Any]) -> None:
    if trial.line_ms is not None:
        click.echo(f"line open after {trial.line_ms:.1f} ms")
    for number, page in enumerate(trial.pages, 1):
        for index, each in enumerate(page.telegrams, 1):
            name = f"page {number}, telegram {index}"
            click.echo(f"\n{name}: request, {len(each.request)} bytes")
            print_telegram(read_telegram(layouts.link, [conversion], each.request, Side.REQUEST).values)
            if each.response is None:
                click.echo(f"\n{name}: no response after {each.ms:.1f} ms")
                continue
            click.echo(f"\n{name}: response, {len(each.response)} bytes after {each.ms:.1f} ms")
            print_telegram(read_telegram(layouts.link, [conversion], each.response, Side.RESPONSE).values)
        if page.answer is not None:
            print_answer(shown["pages"][number - 1]["answer"])
    for note in trial.notes:
        click.echo(f"note: {note}")


def _exit(shown: Mapping[str, Any]) -> None:
    """Ends the command with status 1 after a failure."""
    if shown["error"]:
        exit_with("\n".join(filter(None, (shown["error"], shown["advice"]))), EXIT_FAILED)
    if any(page["answer"]["rsp_code"] not in SUCCESS_CODES for page in shown["pages"]):
        raise SystemExit(EXIT_FAILED)
