"""`relay migrate`: creates or upgrades the ledger's tables, introduces customer keys, reseals under a new key."""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from relay.domain.ledger import LedgerDown
from relay.infra.ledger import schema
from relay.infra.ledger.database.sealing import UnsealError
from relay.infra.ledger.key_fingerprints import CustomerKeyError
from relay.infra.ledger.schema import SchemaError, SchemaState
from relay.infra.ledger.upgrading import UpgradeResult, upgrade
from relay.policy.settings.authority import LedgerSettings
from relay.runtime.commands.options import config_option
from relay.runtime.commands.printing import EXIT_UNUSABLE
from relay.runtime.settings.loading import SettingsError, load_settings
from relay.runtime.wiring.ledger import (
    LedgerSettingsError,
    build_ledger,
    build_sealer,
    describe_unreachable,
    resolve_ledger_url,
)

EXIT_DIFFERS: Final = 1
"""Exit code of --check when the ledger's tables are not those this relay knows."""

_DONE: Final = {
    SchemaState.EMPTY: "the ledger's tables were created",
    SchemaState.OLDER: "the ledger's tables were upgraded",
    SchemaState.CURRENT: "the ledger's tables are current",
}


@click.command(
    "migrate",
    epilog="""\b
Examples:
  relay migrate -c /etc/relay/relay.yaml   before the first start and before
                                           each new version starts
  relay migrate --check --json  {"state": "current"}; exit code 1 for another
  relay migrate --reseal        after a new first customer key was added to
                                the settings, and again after the old one
                                was removed
  relay migrate --restored      after the database was restored from a backup
\b
Exit code 0 when it is done, 1 from --check when the tables differ,
2 when ledger or settings cannot be used.""",
)
@config_option
@click.option(
    "--check", "only_check", is_flag=True, help="Change nothing, print the state: current, older, newer, empty."
)
@click.option(
    "--reseal",
    "resealing",
    is_flag=True,
    help="Seal everything under the first customer key; forget keys that are not in the settings.",
)
@click.option(
    "--restored",
    is_flag=True,
    help="Tell running relays that the ledger was restored from a backup: they stop using it until they restart.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(path: Path, only_check: bool, resealing: bool, restored: bool, as_json: bool) -> None:
    """Create or upgrade the ledger's tables and introduce new customer keys.

    It runs in one transaction, and relays may run meanwhile. A missing SQLite file is created.
    """
    if only_check + resealing + restored > 1:
        raise click.UsageError("--check, --reseal, --restored: one of them")
    try:
        settings = load_settings(path, os.environ).settings.ledger
        result, message = asyncio.run(_run(settings, only_check=only_check, resealing=resealing, restored=restored))
    except (SettingsError, LedgerSettingsError, SchemaError, CustomerKeyError, UnsealError) as error:
        _exit_with(as_json, {"problem": str(error)}, str(error), EXIT_UNUSABLE)
    except LedgerDown as error:
        _exit_with(as_json, {"problem": describe_unreachable(error)}, describe_unreachable(error), EXIT_UNUSABLE)
    else:
        differs = only_check and result["state"] != SchemaState.CURRENT.value
        _exit_with(as_json, result, message, EXIT_DIFFERS if differs else 0)


async def _run(
    settings: LedgerSettings, *, only_check: bool, resealing: bool, restored: bool
) -> tuple[dict[str, object], str]:
    if only_check:
        return await _check(settings)
    if restored:
        return await _begin_generation(settings)
    return await (_reseal(settings) if resealing else _upgrade(settings))


async def _begin_generation(settings: LedgerSettings) -> tuple[dict[str, object], str]:
    ledger = build_ledger(settings)
    try:
        generation = await ledger.begin_generation()
    finally:
        await ledger.close()
    message = f"the ledger is in generation {generation}: restart every relay that uses it"
    return {"generation": generation}, message


async def _check(settings: LedgerSettings) -> tuple[dict[str, object], str]:
    """Returns the state of the tables; checks the keys of current ones. Raises CustomerKeyError."""
    state = await schema.read_state(resolve_ledger_url(settings))
    if state is SchemaState.CURRENT:
        ledger = build_ledger(settings)
        try:
            await ledger.check()
        finally:
            await ledger.close()
    return {"state": state.value}, schema.describe_state(state)


async def _upgrade(settings: LedgerSettings) -> tuple[dict[str, object], str]:
    before, introduced = await prepare_ledger(settings)
    result: dict[str, object] = {"before": before.value, "state": SchemaState.CURRENT.value, "introduced": introduced}
    return result, _join_lines(_DONE[before], introduced, ())


async def _reseal(settings: LedgerSettings) -> tuple[dict[str, object], str]:
    ledger = build_ledger(settings)
    try:
        count, introduced, forgotten = await ledger.reseal()
    finally:
        await ledger.close()
    result = {"resealed": count, "introduced": introduced, "forgotten": forgotten}
    return result, _join_lines(f"resealed under the first customer key: {count}", introduced, forgotten)


async def prepare_ledger(settings: LedgerSettings, environ: Mapping[str, str] = os.environ) -> UpgradeResult:
    """Upgrades the ledger's tables and introduces the keys of the settings, in one transaction.

    Raises LedgerSettingsError, SchemaError, CustomerKeyError, LedgerDown.
    """
    return await upgrade(resolve_ledger_url(settings, environ), build_sealer(settings, environ))


def _join_lines(message: str, introduced: Sequence[str], forgotten: Sequence[str]) -> str:
    """Returns the message, and a line for each key that was introduced or forgotten."""
    lines = [message, *(f"customer key introduced: {kid}" for kid in introduced)]
    return "\n".join([*lines, *(f"customer key forgotten: {kid}" for kid in forgotten)])


def _exit_with(as_json: bool, result: dict[str, object], message: str, code: int) -> None:
    click.echo(
        json.dumps(result, ensure_ascii=False) if as_json else message, err=code == EXIT_UNUSABLE and not as_json
    )
    raise SystemExit(code)
