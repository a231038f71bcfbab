"""`relay directory`: who the portal says there is, what a sync would change, and what is held back."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from relay.domain.registry import Held, NothingHeld, Organisation, Registry, RegistryChanges
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.runtime.config import Loaded
from relay.runtime.consulting import CANNOT, FAILED, config_option, consult, end, job_run, json_option, moment
from relay.runtime.labour import changes_ahead


@click.group(
    "directory",
    epilog="""\b
Examples:
  relay directory show -c /etc/relay/relay.yaml
  relay directory show --json | jq '.organisations[] | select(.org_type == "03") | .org_code'
  relay directory sync                ask the portal for what changed, now
  relay directory sync --full         ask for everything
  relay directory diff                what is held back, or what the portal would change
  relay directory release --yes       take what is held back
\b
Exit code 0 when all is well, 1 when something is held back or a sync fails, 2 when nothing could be done.""",
)
def command() -> None:
    """The portal's registry (기관정보, 서비스정보) as the relay goes by it."""


@command.command("show")
@click.option("--org-code", help="This organisation alone, with its services.")
@config_option
@json_option
def show_(path: Path, org_code: str | None, *, as_json: bool) -> None:
    """Show the registry: organisations, their services, and how fresh it is."""

    async def look(loaded: Loaded, ledger: SqlLedger) -> tuple[Loaded, Registry, Held | None]:
        _with_portal(loaded)
        return loaded, await ledger.registry.registry(), await ledger.registry.held()

    loaded, registry, held = consult(path, look)
    chosen = [one for one in registry.organisations.values() if org_code in {None, one.org_code}]
    if org_code is not None and not chosen:
        end(f"{org_code} is not in the registry", CANNOT)
    told = {**_standing(loaded, registry, held), "organisations": [_organisation(one, registry) for one in chosen]}
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _show(told)


@command.command("diff")
@config_option
@json_option
def diff_(path: Path, *, as_json: bool) -> None:
    """Show what is held back; when nothing is, what the portal would change if it were asked for everything now."""

    async def look(loaded: Loaded, ledger: SqlLedger) -> tuple[Registry, Held | None, RegistryChanges]:
        _with_portal(loaded)
        held = await ledger.registry.held()
        changes = held.changes if held is not None else await changes_ahead(loaded, ledger)
        return await ledger.registry.registry(), held, changes

    registry, held, changes = consult(path, look)
    lines = list(_differences(registry, changes))
    reasons = list(held.reasons) if held is not None else []
    if as_json:
        since = moment(held.since) if held is not None else None
        click.echo(json.dumps({"held_since": since, "reasons": reasons, "changes": lines}, ensure_ascii=False))
    else:
        for words in (*reasons, *lines) or ("nothing differs",):
            click.echo(words)
    raise SystemExit(FAILED if held is not None else 0)


@command.command("sync")
@click.option("--full", is_flag=True, help="Ask for everything, not for what changed since.")
@config_option
@json_option
def sync_(path: Path, *, full: bool, as_json: bool) -> None:
    """Ask the portal now, and take what it tells unless it would change too much at once."""

    async def work(loaded: Loaded, ledger: SqlLedger) -> tuple[str, Held | None]:
        _with_portal(loaded)
        state = await job_run(loaded, ledger, "directory_full" if full else "directory")
        return state.told, await ledger.registry.held()

    told, held = consult(path, work)
    click.echo(json.dumps({"told": told, "held": held is not None}, ensure_ascii=False) if as_json else told)
    raise SystemExit(FAILED if held is not None else 0)


@command.command("release")
@click.option("--yes", is_flag=True, help="Do not ask whether you mean it.")
@config_option
@json_option
def release_(path: Path, *, yes: bool, as_json: bool) -> None:
    """Take what is held back: you looked at `relay directory diff` and it is right."""

    async def look(loaded: Loaded, ledger: SqlLedger) -> tuple[Held | None, list[str]]:
        _with_portal(loaded)
        held = await ledger.registry.held()
        return held, [] if held is None else list(_differences(await ledger.registry.registry(), held.changes))

    held, lines = consult(path, look)
    if held is None:
        end("nothing is held back", CANNOT)
    if not yes:
        for words in (*held.reasons, *lines):
            click.echo(words)
        click.confirm("take this", abort=True)

    async def release(_: Loaded, ledger: SqlLedger) -> int:
        try:
            return await ledger.registry.release(held.hold_id, int(time.time()))
        except NothingHeld:
            end("it is not held any more: a later sync took its place", FAILED)

    number = consult(path, release)
    words = f"{len(lines)} changes taken, gateways go by them within a second"
    click.echo(json.dumps({"released": len(lines), "number": number}) if as_json else words)


def _with_portal(loaded: Loaded) -> None:
    if loaded.settings.portal is None:
        end("there is no portal in the settings: who may call stands in directory.yaml", CANNOT)


def _standing(loaded: Loaded, registry: Registry, held: Held | None) -> dict[str, Any]:
    ours = loaded.settings.relay.org_code
    files = {provider.org_code for provider in loaded.providers}
    members = {one.org_code for one in registry.organisations.values() if one.relay == ours}
    return {
        "number": registry.number,
        "synced": moment(registry.synced_at),
        "age_s": int(time.time()) - registry.synced_at if registry.synced_at else None,
        "orgs_timestamp": registry.orgs_timestamp,
        "services_timestamp": registry.services_timestamp,
        "held_since": moment(held.since) if held is not None else None,
        "members_without_file": sorted(members - files),
        "files_without_member": sorted(files - members),
    }


def _organisation(one: Organisation, registry: Registry) -> dict[str, Any]:
    services = [each for each in registry.services.values() if each.operator == one.org_code]
    return {
        "org_code": one.org_code,
        "org_type": one.org_type.value,
        "name": one.name,
        "serial_num": one.serial_num,
        "addresses": list(one.addresses),
        "receiver": one.is_receiver,
        "relay": one.relay,
        "industry": one.industry,
        "slots": list(one.slots),
        "services": [
            {
                "client_id": each.client_id,
                "name": each.name,
                "callbacks": list(each.callbacks),
                "app_schemes": list(each.app_schemes),
            }
            for each in services
        ],
    }


def _show(told: dict[str, Any]) -> None:
    console = Console()
    console.print(f"change {told['number']}, heard {told['synced'] or 'never'}")
    if told["held_since"]:
        console.print(f"[red]a sync is held back since {told['held_since']}: relay directory diff[/]")
    for key, words in (
        ("members_without_file", "members of ours without a file in providers/"),
        ("files_without_member", "files in providers/ the portal lists as no member of ours"),
    ):
        if told[key]:
            console.print(f"{words}: {', '.join(told[key])}")
    table = Table("org_code", "type", "name", "serial_num", "addresses", "services", box=None)
    for one in told["organisations"]:
        names = ", ".join(each["client_id"] for each in one["services"])
        cells = (one["org_code"], one["org_type"], one["name"], one["serial_num"], ", ".join(one["addresses"]), names)
        table.add_row(*map(escape, cells))
    console.print(table)


def _differences(registry: Registry, changes: RegistryChanges) -> Iterator[str]:
    """A line for each change, of names and never of secrets."""
    for org_code, organisation in changes.organisations.items():
        known = registry.organisations.get(org_code)
        yield f"{_mark(known, organisation)} organisation {org_code}{_told(known, organisation)}"
    for client_id, service in changes.services.items():
        former = registry.services.get(client_id)
        yield f"{_mark(former, service)} service {client_id}"


def _mark(known: object, wanted: object) -> str:
    return "-" if wanted is None else "+" if known is None else "~"


def _told(known: Organisation | None, wanted: Organisation | None) -> str:
    if known is None or wanted is None:
        return f" {(known or wanted).name}" if known or wanted else ""  # type: ignore[union-attr]  # one of them is there
    names = [name for name in Organisation.__slots__ if getattr(known, name) != getattr(wanted, name)]
    return f" {wanted.name}: {', '.join(f'{name} {getattr(known, name)} -> {getattr(wanted, name)}' for name in names)}"
