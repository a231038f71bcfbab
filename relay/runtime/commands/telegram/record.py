"""`relay telegram record`: drafts of layouts from captured telegrams."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from relay.infra.telegrams.recording_proxy import RecordingProxy
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.layout_draft import CapturedPair, draft_link, draft_message, guess_framing
from relay.policy.mediation.telegram.framing import FrameReader, Framing
from relay.policy.mediation.telegram.plan import get_size
from relay.runtime.commands.options import config_option
from relay.runtime.commands.printing import EXIT_FAILED, EXIT_UNUSABLE, exit_with, pluralize
from relay.runtime.commands.telegram.capture import Capture, CapturedTelegram, pair_by_header, pair_by_order
from relay.runtime.commands.telegram.layouts import Layouts, open_layouts
from relay.runtime.commands.telegram.telegram_input import Form, read_input
from relay.runtime.settings.layout_files import LINK_FILE

_ADDRESS: Final = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")
_POLL_S: Final = 0.2
_CHARSET: Final = "EUC-KR"


@click.command(
    "record",
    short_help="Draft layouts from captured telegrams.",
    epilog="""\b
Examples:
  relay telegram record captured.hex --header 102 -o drafts
  relay telegram record captured.bin --link ZBAC000001 --api BA04
  relay telegram record --listen 127.0.0.1:9101 --core 10.20.0.5:9100 \\
      --link config/providers/NAME/telegrams -o drafts
\b
CAPTURE is a file, - for standard input, or hex: one or more telegrams,
each with its length field. Without CAPTURE the command is a TCP proxy:
point a client of the core at --listen, and it hands on all bytes.
With --link the header is known; each transaction code becomes a draft
CODE.yaml. Without it link.yaml is drafted, too; --header is the size of
the header in bytes, the length field included.
A draft holds types and lengths, no values. All guesses are marked "to be
decided"; `relay check` and `relay telegram show` name what is missing.
Exit code 0 when drafts were written, 1 when nothing was captured,
2 when the arguments cannot be used. Existing files are never replaced.""",
)
@click.argument("capture", required=False)
@click.option("--link", "layout", metavar="LAYOUT", help="A folder with link.yaml, or an org_code: the known header.")
@click.option("--header", type=int, metavar="BYTES", help="Size of an unknown header, with its length field.")
@click.option("--api", default="", help="The api_code of the drafts, when it is one API.")
@click.option(
    "--listen", default="127.0.0.1:0", show_default=True, metavar="HOST:PORT", help="Where the proxy listens."
)
@click.option("--core", metavar="HOST:PORT", help="Where the proxy connects.")
@click.option(
    "--seconds",
    type=click.IntRange(1, 86_400),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="End of the recording.",
)
@click.option(
    "--telegrams",
    type=click.IntRange(1, 10_000),
    default=2,
    show_default=True,
    metavar="COUNT",
    help="End after so many, with --link.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Write files to this folder.")
@config_option
def record(  # noqa: PLR0913, PLR0917 - one argument for each option
    capture: str | None,
    layout: str | None,
    header: int | None,
    api: str,
    listen: str,
    core: str | None,
    seconds: int,
    telegrams: int,
    output: Path | None,
    path: Path,
) -> None:
    """Draft layouts from captured telegrams, or from a line recorded by a proxy."""
    if header is not None and header < 1:
        exit_with(f"--header: {header} is no size; expected: the bytes of the header", EXIT_UNUSABLE)
    layouts = None if layout is None else open_layouts(layout, path)
    framing = None if layouts is None else layouts.link.framing
    if capture is not None:
        recorded = _read_capture(capture, framing)
    elif core is not None:
        recorded = _record(listen, core, framing, seconds, telegrams)
    else:
        exit_with("CAPTURE and --core are missing; expected: captured telegrams, or --core HOST:PORT", EXIT_UNUSABLE)
    if recorded.error is not None:
        click.echo(f"warning: {recorded.error}; what follows is left out", err=True)
    drafts = _draft_known(layouts, recorded, api) if layouts is not None else _draft_unknown(recorded, api, header)
    _write(drafts, output)


def _read_capture(source: str, framing: Framing | None) -> Capture:
    data = read_input(source, framing, _CHARSET, Form.AUTO)
    recorded = Capture(framing)
    if framing is None:
        recorded.streams[0, False] = bytearray(data)
        return recorded
    reader = FrameReader(framing)
    try:
        recorded.telegrams = [CapturedTelegram(each) for each in reader.feed(data)]
        reader.feed(b"")
    except ConversionError as error:
        recorded.error = error
    if reader.pending and recorded.error is None:
        exit_with(
            f"{source}: ends within a telegram: {reader.pending} bytes are left; expected: whole ones", EXIT_FAILED
        )
    return recorded


def _record(listen: str, core: str, framing: Framing | None, seconds: int, telegrams: int) -> Capture:
    """Returns what passed through the proxy until the time, the number of telegrams, or Ctrl-C."""
    for option, address in (("--listen", listen), ("--core", core)):
        if not _ADDRESS.fullmatch(address):
            exit_with(f"{option}: {address} is no address; expected: HOST:PORT", EXIT_UNUSABLE)
    recorded = Capture(framing)
    with suppress(KeyboardInterrupt):
        asyncio.run(_run_proxy(listen, core, recorded, seconds, telegrams))
    return recorded


async def _run_proxy(listen: str, core: str, recorded: Capture, seconds: int, telegrams: int) -> None:
    proxy = RecordingProxy(listen, core, recorded.record)
    try:
        await proxy.open()
    except (OSError, OverflowError) as error:
        exit_with(f"--listen: {listen} cannot be used ({getattr(error, 'strerror', None) or error})", EXIT_UNUSABLE)
    click.echo(f"listening at {proxy.address}, connecting to {core}; ends after {seconds} s", err=True)
    deadline = asyncio.get_running_loop().time() + seconds
    seen = 0
    try:
        while asyncio.get_running_loop().time() < deadline and len(recorded.telegrams) < telegrams:
            await asyncio.sleep(_POLL_S)
            if len(recorded.telegrams) != seen:
                seen = len(recorded.telegrams)
                click.echo(f"{pluralize(seen, 'telegram')} recorded", err=True)
            if proxy.failures:
                exit_with(f"--core: {core} cannot be reached ({proxy.failures[0]})", EXIT_FAILED)
    finally:
        await proxy.close()


def _draft_known(layouts: Layouts, recorded: Capture, api: str) -> dict[str, str]:
    """Returns the drafts by file name; the header is that of `link.yaml`."""
    link = layouts.link
    try:
        pairs = pair_by_header(link, recorded.telegrams)
    except ConversionError as error:
        exit_with(f"{error}; does {LINK_FILE} belong to this core?", EXIT_FAILED)
    size, charset = get_size(link.header.header), link.settings.charset
    return {_name_file(pair): draft_message(pair, charset, size, api) for pair in pairs}


def _draft_unknown(recorded: Capture, api: str, header: int | None) -> dict[str, str]:
    """Returns the drafts by file name, with one of `link.yaml`. Ends the command when no framing fits."""
    joined = b"".join(recorded.streams.values())
    if not joined:
        return {}
    framing = guess_framing(joined)
    if framing is None:
        text = (
            "no usual length field divides the capture into whole telegrams; write link.yaml with framing, use --link"
        )
        exit_with(text, EXIT_FAILED)
    reader = Framing(framing, framing.offset + framing.length)
    is_proxied = len(recorded.streams) > 1
    telegrams = [
        CapturedTelegram(each, is_client if is_proxied else None)
        for (_, is_client), stream in recorded.streams.items()
        for each in FrameReader(reader).feed(bytes(stream))
    ]
    size = header or min(len(each.data) for each in telegrams)
    drafts = {LINK_FILE: draft_link([each.data for each in telegrams], framing, _CHARSET, size)}
    if header is None:
        click.echo("warning: --header is not given: link.yaml has all fields of the shortest telegram", err=True)
        return drafts
    return drafts | {_name_file(pair): draft_message(pair, _CHARSET, size, api) for pair in pair_by_order(telegrams)}


def _name_file(pair: CapturedPair) -> str:
    return f"{_UNSAFE.sub('_', pair.code) or 'draft'}.yaml"


def _write(drafts: Mapping[str, str], output: Path | None) -> None:
    if not drafts:
        exit_with("no telegrams were captured", EXIT_FAILED)
    for name, text in drafts.items():
        if output is None:
            click.echo(f"# {name}\n{text}")
            continue
        try:
            output.mkdir(parents=True, exist_ok=True)
            with (output / name).open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            exit_with(f"{output / name}: exists already; expected: a folder without drafts", EXIT_UNUSABLE)
        except OSError as error:
            exit_with(f"{output / name}: cannot be written ({error.strerror})", EXIT_UNUSABLE)
        click.echo(f"{output / name}")
