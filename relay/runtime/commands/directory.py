"""`relay directory`: shows, compares and syncs the portal's registry; releases or discards held changes."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from relay.domain.jobs import JobState
from relay.domain.registry import (
    Discarded,
    Held,
    NothingHeld,
    Organisation,
    RegisteredService,
    Registry,
    RegistryChanges,
)
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.policy.registry.changes import differences, only
from relay.policy.registry.guard import WINDOW_DAYS, WINDOW_S, judge
from relay.runtime.commands.ledger_session import (
    EXIT_FAILED,
    EXIT_UNUSABLE,
    config_option,
    exit_with,
    format_time,
    json_option,
    require_portal,
    run_job,
    with_ledger,
)
from relay.runtime.commands.printing import format_local, pluralize, print_table, table_rows
from relay.runtime.settings.loading import Loaded
from relay.runtime.wiring.jobs import preview_changes

_REASON_MAX: Final = 200
_HINT: Final = "see it: relay directory diff; apply it: relay directory release; reject it: relay directory discard"
_NOT_HELD: Final = "it is not held any more: a later sync replaced it; see relay directory diff"
_DAY_S: Final = 86_400


@click.group(
    "directory",
    epilog="""\b
Examples:
  relay directory show -c /etc/relay/relay.yaml
  relay directory show --org-code ZOPA000001   addresses, services, callbacks
  relay directory show --json | jq -r '.organisations[].org_code'
  relay directory sync                fetch changes from the portal now
  relay directory sync --full         fetch the whole registry
  relay directory diff                held changes, or those of a sync now
  relay directory release             show held changes and apply them
  relay directory discard --reason "the portal sends half a list"
\b
Types: 01 own API, 02 through a relay, 03 operator, 04 relay,
05 and 06 certifiers, 07 portal, 99 others.
\b
Exit code 0 when all is well, 1 when changes are held or a sync failed,
2 when the command could not run.""",
)
def command() -> None:
    """The portal's registry (기관정보, 서비스정보) as the relay applies it."""


@command.command("show")
@click.option("--org-code", help="Only this organisation, with its services.")
@config_option
@json_option
def show_(path: Path, org_code: str | None, *, as_json: bool) -> None:
    """Show the registry.

    Organisations with certificate, addresses and services, and the age of the registry.
    """

    async def look(loaded: Loaded, ledger: SqlLedger) -> tuple[Loaded, Registry, Held | None, Sequence[Discarded]]:
        require_portal(loaded)
        book = ledger.registry
        discarded = await book.discarded(int(time.time()) - WINDOW_S)
        return loaded, await book.registry(), await book.held(), discarded

    loaded, registry, held, discarded = with_ledger(path, look)
    organisations = [each for each in registry.organisations.values() if org_code in {None, each.org_code}]
    if org_code is not None and not organisations:
        exit_with("the registry has no organisation with this org_code", EXIT_UNUSABLE)
    services: dict[str, list[RegisteredService]] = {}
    for service in registry.services.values():
        services.setdefault(service.operator, []).append(service)
    result = {
        **_status(loaded, registry, held),
        "discarded": [_discarded(each) for each in discarded],
        "organisations": [_organisation(each, services.get(each.org_code, [])) for each in organisations],
    }
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False, indent=2))
        return
    _show_status(result, registry)
    if org_code is None:
        _show_organisations(result["organisations"])
    else:
        _show_organisation(result["organisations"][0])


@command.command("diff")
@config_option
@json_option
def diff_(path: Path, *, as_json: bool) -> None:
    """Show held changes, or what a sync would change.

    Without held changes it fetches the whole registry from the portal. It applies nothing.
    """

    async def look(loaded: Loaded, ledger: SqlLedger) -> tuple[Registry, Held | None, RegistryChanges]:
        require_portal(loaded)
        held = await ledger.registry.held()
        changes = held.changes if held is not None else await preview_changes(loaded, ledger)
        return await ledger.registry.registry(), held, changes

    registry, held, changes = with_ledger(path, look)
    lines = list(differences(registry, changes))
    if as_json:
        click.echo(json.dumps(_difference(held, lines), ensure_ascii=False))
    else:
        for line in _describe(held, lines) or ("nothing differs",):
            click.echo(line)
    raise SystemExit(EXIT_FAILED if held is not None else 0)


@command.command("sync")
@click.option("--full", is_flag=True, help="Fetch the whole registry, not only changes.")
@config_option
@json_option
def sync_(path: Path, *, full: bool, as_json: bool) -> None:
    """Fetch the registry from the portal and apply it.

    Changes beyond portal.guard are held. When another instance leads, it runs the sync, and the command waits.
    """

    async def work(loaded: Loaded, ledger: SqlLedger) -> tuple[JobState, Held | None]:
        require_portal(loaded)
        state = await run_job(loaded, ledger, "directory_full" if full else "directory")
        return state, await ledger.registry.held()

    state, held = with_ledger(path, work)
    has_failed = bool(state.failures)
    if as_json:
        result = {"told": state.told, "failed": has_failed, "held": held is not None}
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        click.echo(state.told, err=has_failed)
        if held is not None and not has_failed:
            click.echo(_HINT, err=True)
    raise SystemExit(EXIT_FAILED if has_failed or held is not None else 0)


@command.command("release")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@config_option
@json_option
def release_(path: Path, *, yes: bool, as_json: bool) -> None:
    """Apply held changes.

    Confirm them with the portal by telephone first. Gateways apply them within a second.
    """

    async def look(loaded: Loaded, ledger: SqlLedger) -> tuple[Held | None, list[str]]:
        require_portal(loaded)
        held = await ledger.registry.held()
        return held, [] if held is None else list(differences(await ledger.registry.registry(), held.changes))

    held, lines = with_ledger(path, look)
    if held is None:
        exit_with("no changes are held", EXIT_UNUSABLE)
    if not yes:
        for line in _describe(held, lines):
            click.echo(line, err=True)
        click.confirm("apply these changes", abort=True, err=True)

    async def release(_: Loaded, ledger: SqlLedger) -> int | None:
        try:
            return await ledger.registry.release(held.hold_id, int(time.time()))
        except NothingHeld:
            return None

    number = with_ledger(path, release)
    if number is None:
        exit_with(_NOT_HELD, EXIT_FAILED)
    if as_json:
        click.echo(json.dumps({"released": len(lines), "number": number}))
    else:
        click.echo(f"{pluralize(len(lines), 'change')} applied; gateways use them within a second")


@command.command("discard")
@click.option("--reason", required=True, help="Why the changes are wrong, for later operators.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@config_option
@json_option
def discard_(path: Path, reason: str, *, yes: bool, as_json: bool) -> None:
    """Discard held changes.

    For 7 days syncs skip its harmful changes, as long as the portal sends exactly these, and apply all others. After
    that the guard checks them again.
    """
    if not reason.strip() or not reason.isprintable() or len(reason) > _REASON_MAX:
        exit_with(f"--reason: write one line of 1 to {_REASON_MAX} printable characters", EXIT_UNUSABLE)

    async def look(loaded: Loaded, ledger: SqlLedger) -> tuple[Held | None, RegistryChanges | None, list[str]]:
        require_portal(loaded)
        held = await ledger.registry.held()
        if held is None:
            return None, None, []
        registry = await ledger.registry.registry()
        harmful = await _harmful(loaded, ledger, registry, held.changes)
        return held, harmful, list(differences(registry, harmful))

    held, harmful, lines = with_ledger(path, look)
    if held is None or harmful is None:
        exit_with("no changes are held", EXIT_UNUSABLE)
    if not yes:
        for line in _describe(held, lines):
            click.echo(line, err=True)
        click.confirm("discard these changes", abort=True, err=True)

    async def discard(_: Loaded, ledger: SqlLedger) -> bool:
        try:
            await ledger.registry.discard(held.hold_id, harmful, reason.strip(), int(time.time()))
        except NothingHeld:
            return False
        return True

    if not with_ledger(path, discard):
        exit_with(_NOT_HELD, EXIT_FAILED)
    if as_json:
        click.echo(json.dumps({"discarded": len(lines), "days": WINDOW_DAYS}))
    else:
        click.echo(f"{pluralize(len(lines), 'change')} discarded; syncs skip them for {WINDOW_DAYS} days")


async def _harmful(loaded: Loaded, ledger: SqlLedger, registry: Registry, changes: RegistryChanges) -> RegistryChanges:
    """Returns the harmful part of held changes; a later sync may apply the rest."""
    portal, now = loaded.settings.portal, int(time.time())
    if portal is None:
        return changes
    past = await ledger.registry.past(now - max(WINDOW_S, portal.forget_days * _DAY_S))
    return only(changes, judge(registry, changes, past, portal.guard, loaded.settings.relay.org_code, now).harmful)


def _status(loaded: Loaded, registry: Registry, held: Held | None) -> dict[str, Any]:
    ours = loaded.settings.relay.org_code
    files = {provider.org_code for provider in loaded.providers}
    members = {each.org_code for each in registry.organisations.values() if each.relay == ours}
    return {
        "number": registry.number,
        "synced": format_time(registry.synced_at),
        "age_s": int(time.time()) - registry.synced_at if registry.synced_at else None,
        "orgs_timestamp": registry.orgs_timestamp,
        "services_timestamp": registry.services_timestamp,
        "held_since": format_time(held.since) if held is not None else None,
        "members_without_file": sorted(members - files),
        "files_without_member": sorted(files - members) if registry.number else [],
    }


def _discarded(discarded: Discarded) -> dict[str, Any]:
    changes = len(discarded.changes.organisations) + len(discarded.changes.services)
    return {"at": format_time(discarded.at), "reason": discarded.reason, "changes": changes}


def _organisation(organisation: Organisation, services: list[RegisteredService]) -> dict[str, Any]:
    return {
        "org_code": organisation.org_code,
        "org_type": organisation.org_type.value,
        "name": organisation.name,
        "serial_num": organisation.serial_num,
        "addresses": list(organisation.addresses),
        "receiver": organisation.is_receiver,
        "relay": organisation.relay,
        "industry": organisation.industry,
        "slots": list(organisation.slots),
        "services": [
            {
                "client_id": service.client_id,
                "name": service.name,
                "callbacks": list(service.callbacks),
                "app_schemes": list(service.app_schemes),
            }
            for service in services
        ],
    }


def _difference(held: Held | None, lines: list[str]) -> dict[str, Any]:
    return {
        "held_since": format_time(held.since) if held is not None else None,
        "reasons": list(held.reasons) if held is not None else [],
        "changes": lines,
    }


def _describe(held: Held | None, lines: list[str]) -> list[str]:
    reasons = [] if held is None else [f"held since {format_local(format_time(held.since))}:", *held.reasons]
    return [*reasons, *lines]


def _show_status(status: dict[str, Any], registry: Registry) -> None:
    if status["synced"] is None:
        click.echo("no sync has succeeded yet: see relay jobs list")
        return
    click.echo(
        f"{pluralize(len(registry.organisations), 'organisation')}, {pluralize(len(registry.services), 'service')}, "
        f"synced {format_local(status['synced'])}, {status['age_s']} s ago (change {status['number']})"
    )
    if status["held_since"]:
        click.echo(f"changes are held since {format_local(status['held_since'])}: see relay directory diff")
    for each in status["discarded"]:
        click.echo(f"{pluralize(each['changes'], 'change')} discarded {format_local(each['at'])}: {each['reason']}")
    for key, label in (
        ("members_without_file", "members of this relay without a file in providers/"),
        ("files_without_member", "files in providers/ that the portal does not list as members of this relay"),
    ):
        if status[key]:
            click.echo(f"{label}: {', '.join(status[key])}")


def _show_organisations(organisations: list[dict[str, Any]]) -> None:
    if not organisations:
        return
    click.echo()
    heads = ("org_code", "type", "serial_num", "addresses", "services", "name")
    names = ("org_code", "org_type", "serial_num", "addresses", "services", "name")
    rows = ({**each, "addresses": len(each["addresses"]), "services": len(each["services"])} for each in organisations)
    print_table(heads, table_rows(rows, *names), right=("addresses", "services"))


def _show_organisation(organisation: dict[str, Any]) -> None:
    click.echo()
    for name, value in organisation.items():
        if name != "services" and value not in ("", [], False):
            click.echo(f"{name:<14}{', '.join(value) if isinstance(value, list) else value}")
    for service in organisation["services"]:
        click.echo(f"\nservice       {service['client_id']} {service['name']}")
        for name in ("callbacks", "app_schemes"):
            for value in service[name]:
                click.echo(f"  {name.removesuffix('s').replace('_', ' '):<12}{value}")
