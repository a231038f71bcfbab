"""`relay keys`: lists, rotates and prunes the keys that sign tokens."""

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from relay.domain.korea import DAY_S
from relay.infra.tokens.key_folder import TokenKeyError, read_keys
from relay.infra.tokens.rotation import KeyStatus, assess_keys, prune, rotate
from relay.runtime.commands.options import config_option, json_option
from relay.runtime.commands.printing import EXIT_UNUSABLE, print_table
from relay.runtime.settings.loading import SettingsError, load_settings

OVERLAP_S: Final = 60
"""Every process rereads the folder within `reload.watch_s`; a minute is enough for all of them."""

LIFETIME_S: Final = 367 * DAY_S
"""How long a key verifies after it signed last. A consent lasts until 24:00 of the same day of the next year; until
then each of its tokens may withdraw it (개별인증-004), also an expired one."""


@click.group(
    "keys",
    epilog="""\b
Examples:
  relay keys rotate -c /etc/relay/relay.yaml
  relay keys rotate --in 3600     when machines get copies of the folder
  relay keys list --json | jq -r '.[].kid'
  relay keys prune                once a month
\b
The first key signs at once, a later one in a minute. A key stays for 367 days
after the next one signs. The folder is tokens.keys of the settings; a running
relay follows it. Exit code 2 when it cannot be used.""",
)
def command() -> None:
    """List, rotate and prune the keys that sign tokens."""


@command.command("list")
@config_option
@json_option
def list_(path: Path, *, as_json: bool) -> None:
    """Show each key, whether it waits, signs or only verifies, and until when it is needed."""
    with _report_errors():
        tokens = load_settings(path, os.environ).settings.tokens
        keys = assess_keys(read_keys(Path(tokens.keys)), int(time.time()), LIFETIME_S)
    rows = [_row(key) for key in keys]
    if as_json:
        click.echo(json.dumps(rows))
        return
    table = [[str(value or "-").replace("+00:00", "Z") for value in row.values()] for row in rows]
    print_table(("kid", "alg", "state", "signs from", "needed until"), table)


@command.command("rotate")
@config_option
@json_option
@click.option(
    "--in", "overlap_s", type=click.IntRange(0, 30 * DAY_S), default=OVERLAP_S, show_default=True, metavar="SECONDS"
)
def rotate_(path: Path, overlap_s: int, *, as_json: bool) -> None:
    """Make the next key. It signs after --in seconds; until then every relay loads it."""
    with _report_errors():
        tokens = load_settings(path, os.environ).settings.tokens
        now = time.time()
        kid = f"{datetime.fromtimestamp(now, UTC):%Y%m%d}-{secrets.token_hex(4)}"
        key = rotate(Path(tokens.keys), kid, int(now), overlap_s)
    result = {"kid": key.kid, "signs_from": _time(key.signs_from)}
    click.echo(json.dumps(result) if as_json else f"{result['kid']} signs from {result['signs_from']}")


@command.command("prune")
@config_option
@json_option
def prune_(path: Path, *, as_json: bool) -> None:
    """Remove keys that no token needs any more."""
    with _report_errors():
        tokens = load_settings(path, os.environ).settings.tokens
        removed = prune(Path(tokens.keys), int(time.time()), LIFETIME_S)
    if as_json:
        click.echo(json.dumps({"removed": removed}))
    else:
        click.echo(f"removed {', '.join(removed)}" if removed else "every key is still needed")


@contextmanager
def _report_errors() -> Iterator[None]:
    try:
        yield
    except (SettingsError, TokenKeyError, OSError) as error:
        click.echo(str(error), err=True)
        raise SystemExit(EXIT_UNUSABLE) from error


def _row(standing: KeyStatus) -> dict[str, Any]:
    return {
        "kid": standing.key.kid,
        "algorithm": standing.key.algorithm,
        "state": standing.state.value,
        "signs_from": _time(standing.key.signs_from),
        "needed_until": _time(standing.needed_until),
    }


def _time(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
