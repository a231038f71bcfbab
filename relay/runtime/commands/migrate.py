"""`relay migrate`: give the ledger its tables and new customer keys, tell what it has, or seal it under a new key."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from relay.domain.ledger import Unreachable
from relay.infra.ledger import schema
from relay.infra.ledger.database.sealing import SealBroken
from relay.infra.ledger.key_fingerprints import KeysUnfit
from relay.infra.ledger.schema import SchemaProblem, SchemaState
from relay.policy.settings.authority import LedgerSettings
from relay.runtime.settings.loading import ConfigProblems, load
from relay.runtime.wiring.ledger import LedgerUnfit, opened, prepared, unanswered, url_of

DIFFERS: Final = 1
"""Exit code of --check when the ledger's tables are not those this relay knows."""

UNUSABLE: Final = 2
"""Exit code when nothing could be done."""

_DONE: Final = {
    SchemaState.EMPTY: "the ledger's tables were made",
    SchemaState.OLDER: "the ledger's tables were upgraded",
    SchemaState.CURRENT: "the ledger's tables are current",
}


@click.command(
    "migrate",
    epilog="""\b
Examples:
  relay migrate -c /etc/relay/relay.yaml      before the first start and with each new relay
  relay migrate --check --json                {"state": "current"}; exit code 1 for another
  relay migrate --reseal                      after a new customer key was put in front of the others, and once more
                                              after the old one was taken out of the settings
  relay migrate --restored                    after the database was brought back from a backup
\b
Exit code 0 when it is done, 1 from --check when the tables differ, 2 when ledger or settings cannot be used.""",
)
@click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=Path("config/relay.yaml"),
    show_default=True,
    help="The relay's settings.",
)
@click.option(
    "--check", "only_check", is_flag=True, help="Change nothing, tell the state: current, older, newer, empty."
)
@click.option(
    "--reseal",
    "resealing",
    is_flag=True,
    help="Seal everything under the first customer key; forget keys that the settings do not name.",
)
@click.option(
    "--restored",
    is_flag=True,
    help="Tell the relays that run that the ledger was brought back from a backup: they stop using it until restarted.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(path: Path, only_check: bool, resealing: bool, restored: bool, as_json: bool) -> None:
    """Give the ledger the tables this relay knows, and introduce new customer keys to it.

    Whole or not at all; relays may go on running while it happens. A SQLite file is made when it is not there.
    """
    if only_check + resealing + restored > 1:
        raise click.UsageError("--check, --reseal, --restored: one of them")
    try:
        settings = load(path, os.environ).settings.ledger
        told, words = asyncio.run(_work(settings, only_check=only_check, resealing=resealing, restored=restored))
    except (ConfigProblems, LedgerUnfit, SchemaProblem, KeysUnfit, SealBroken) as error:
        _end(as_json, {"problem": str(error)}, str(error), UNUSABLE)
    except Unreachable as error:
        _end(as_json, {"problem": unanswered(error)}, unanswered(error), UNUSABLE)
    else:
        differs = only_check and told["state"] != SchemaState.CURRENT.value
        _end(as_json, told, words, DIFFERS if differs else 0)


async def _work(
    settings: LedgerSettings, *, only_check: bool, resealing: bool, restored: bool
) -> tuple[dict[str, object], str]:
    if only_check:
        return await _checked(settings)
    return await _restored(settings) if restored else await _changed(settings, resealing=resealing)


async def _restored(settings: LedgerSettings) -> tuple[dict[str, object], str]:
    ledger = await opened(settings)
    try:
        generation = await ledger.begin_generation()
    finally:
        await ledger.close()
    return {"generation": generation}, f"the ledger is in generation {generation}: restart every relay that uses it"


async def _checked(settings: LedgerSettings) -> tuple[dict[str, object], str]:
    """The state of the tables; of current ones the keys are looked at, too. Raises KeysUnfit."""
    state = await schema.state(url_of(settings))
    if state is SchemaState.CURRENT:
        ledger = await opened(settings)
        try:
            await ledger.check()
        finally:
            await ledger.close()
    return {"state": state.value}, schema.told(state)


async def _changed(settings: LedgerSettings, *, resealing: bool) -> tuple[dict[str, object], str]:
    if not resealing:
        before, introduced = await prepared(settings)
        told: dict[str, object] = {"before": before.value, "state": SchemaState.CURRENT.value, "introduced": introduced}
        return told, _lines(_DONE[before], introduced, ())
    ledger = await opened(settings)
    try:
        count, introduced, forgotten = await ledger.reseal()
    finally:
        await ledger.close()
    words = f"sealed anew under the first customer key: {count}"
    return {"resealed": count, "introduced": introduced, "forgotten": forgotten}, _lines(words, introduced, forgotten)


def _lines(words: str, introduced: Sequence[str], forgotten: Sequence[str]) -> str:
    """What was done, and each key that is new to the ledger or no longer known to it."""
    came = [f"customer key introduced: {kid}" for kid in introduced]
    return "\n".join([words, *came, *(f"customer key forgotten: {kid}" for kid in forgotten)])


def _end(as_json: bool, told: dict[str, object], words: str, code: int) -> None:
    click.echo(json.dumps(told, ensure_ascii=False) if as_json else words, err=code == UNUSABLE and not as_json)
    raise SystemExit(code)
