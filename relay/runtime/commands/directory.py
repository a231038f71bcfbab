"""`relay directory`: who the portal says there is, what a sync would change, and what is held back."""

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
    CANNOT,
    FAILED,
    config_option,
    consult,
    end,
    job_run,
    json_option,
    moment,
    with_portal,
)
from relay.runtime.commands.printing import clock, counted, print_table, rows_of
from relay.runtime.settings.loading import Loaded
from relay.runtime.wiring.jobs import changes_ahead

_REASON_MOST: Final = 200
_HINT: Final = (
    "look at it: relay directory diff; take it: relay directory release; throw it away: relay directory discard"
)
_DAY_S: Final = 86_400


@click.group(
    "directory",
    epilog="""\b
Examples:
  relay directory show -c /etc/relay/relay.yaml
  relay directory show --org-code ZOPA000001      its addresses, services, callbacks
  relay directory show --json | jq -r '.organisations[].org_code'
  relay directory sync                ask the portal for what changed, now
  relay directory sync --full         ask for everything
  relay directory diff                what is held back, or what the portal would change
  relay directory release             look at what is held back, and take it
  relay directory discard --reason "the portal sends half a list"
\b
Types: 01 own API, 02 through a relay, 03 operator, 04 relay, 05, 06 certifiers,
07 portal, 99 others.
\b
Exit code 0 when all is well, 1 when something is held back or a sync fails,
2 when nothing could be done.""",
)
def command() -> None:
    """The portal's registry (기관정보, 서비스정보) as the relay goes by it."""


@command.command("show")
@click.option("--org-code", help="This organisation alone, with its services.")
@config_option
@json_option
def show_(path: Path, org_code: str | None, *, as_json: bool) -> None:
    """Show who the portal says there is.

    Organisations with certificate, addresses and services; how fresh all of it is.
    """

    async def look(loaded: Loaded, ledger: SqlLedger) -> tuple[Loaded, Registry, Held | None, Sequence[Discarded]]:
        with_portal(loaded)
        book = ledger.registry
        discarded = await book.discarded(int(time.time()) - WINDOW_S)
        return loaded, await book.registry(), await book.held(), discarded

    loaded, registry, held, discarded = consult(path, look)
    chosen = [one for one in registry.organisations.values() if org_code in {None, one.org_code}]
    if org_code is not None and not chosen:
        end("the registry knows no organisation of this org_code", CANNOT)
    services: dict[str, list[RegisteredService]] = {}
    for each in registry.services.values():
        services.setdefault(each.operator, []).append(each)
    told = {
        **_standing(loaded, registry, held),
        "discarded": [{"at": moment(one.at), "reason": one.reason, "changes": _size(one.changes)} for one in discarded],
        "organisations": [_organisation(one, services.get(one.org_code, [])) for one in chosen],
    }
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    _show_standing(told, registry)
    if org_code is None:
        _show_all(told["organisations"])
    else:
        _show_one(told["organisations"][0])


@command.command("diff")
@config_option
@json_option
def diff_(path: Path, *, as_json: bool) -> None:
    """Show what is held back, or would change.

    When nothing is held back: what the portal would change if it were asked for everything now. Nothing is taken.
    """

    async def look(loaded: Loaded, ledger: SqlLedger) -> tuple[Registry, Held | None, RegistryChanges]:
        with_portal(loaded)
        held = await ledger.registry.held()
        changes = held.changes if held is not None else await changes_ahead(loaded, ledger)
        return await ledger.registry.registry(), held, changes

    registry, held, changes = consult(path, look)
    lines = list(differences(registry, changes))
    if as_json:
        click.echo(json.dumps(_difference(held, lines), ensure_ascii=False))
    else:
        for words in _words(held, lines) or ("nothing differs",):
            click.echo(words)
    raise SystemExit(FAILED if held is not None else 0)


@command.command("sync")
@click.option("--full", is_flag=True, help="Ask for everything, not for what changed since.")
@config_option
@json_option
def sync_(path: Path, *, full: bool, as_json: bool) -> None:
    """Ask the portal now, take what it tells.

    What would change too much at once is held back. Where another instance leads, that one asks, and is waited for.
    """

    async def work(loaded: Loaded, ledger: SqlLedger) -> tuple[JobState, Held | None]:
        with_portal(loaded)
        state = await job_run(loaded, ledger, "directory_full" if full else "directory")
        return state, await ledger.registry.held()

    state, held = consult(path, work)
    failed = bool(state.failures)
    if as_json:
        told = {"told": state.told, "failed": failed, "held": held is not None}
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        click.echo(state.told, err=failed)
        if held is not None and not failed:
            click.echo(_HINT, err=True)
    raise SystemExit(FAILED if failed or held is not None else 0)


@command.command("release")
@click.option("--yes", is_flag=True, help="Do not ask whether you mean it.")
@config_option
@json_option
def release_(path: Path, *, yes: bool, as_json: bool) -> None:
    """Take what is held back.

    You looked at it, and it is right. Gateways go by it within a second.
    """

    async def look(loaded: Loaded, ledger: SqlLedger) -> tuple[Held | None, list[str]]:
        with_portal(loaded)
        held = await ledger.registry.held()
        return held, [] if held is None else list(differences(await ledger.registry.registry(), held.changes))

    held, lines = consult(path, look)
    if held is None:
        end("nothing is held back", CANNOT)
    if not yes:
        for words in _words(held, lines):
            click.echo(words, err=True)
        click.confirm("take this", abort=True, err=True)

    async def release(_: Loaded, ledger: SqlLedger) -> int | None:
        try:
            return await ledger.registry.release(held.hold_id, int(time.time()))
        except NothingHeld:
            return None

    number = consult(path, release)
    if number is None:
        end("it is not held any more, a later sync took its place: relay directory diff", FAILED)
    if as_json:
        click.echo(json.dumps({"released": len(lines), "number": number}))
    else:
        click.echo(f"{counted(len(lines), 'change')} taken, gateways go by it within a second")


@command.command("discard")
@click.option("--reason", required=True, help="Why it is wrong, for those who come after you.")
@click.option("--yes", is_flag=True, help="Do not ask whether you mean it.")
@config_option
@json_option
def discard_(path: Path, reason: str, *, yes: bool, as_json: bool) -> None:
    """Throw away what is held back.

    You looked at it, and it is wrong. For 7 days syncs leave out its harmful changes, as long as the portal tells
    exactly these; all other changes are taken. After that they are judged anew.
    """
    if not reason.strip() or not reason.isprintable() or len(reason) > _REASON_MOST:
        end(f"--reason: a line of 1 to {_REASON_MOST} printable characters", CANNOT)

    async def look(loaded: Loaded, ledger: SqlLedger) -> tuple[Held | None, RegistryChanges | None, list[str]]:
        with_portal(loaded)
        held = await ledger.registry.held()
        if held is None:
            return None, None, []
        registry = await ledger.registry.registry()
        harmful = await _harmful(loaded, ledger, registry, held.changes)
        return held, harmful, list(differences(registry, harmful))

    held, harmful, lines = consult(path, look)
    if held is None or harmful is None:
        end("nothing is held back", CANNOT)
    if not yes:
        for words in _words(held, lines):
            click.echo(words, err=True)
        click.confirm("throw this away", abort=True, err=True)

    async def discard(_: Loaded, ledger: SqlLedger) -> bool:
        try:
            await ledger.registry.discard(held.hold_id, harmful, reason.strip(), int(time.time()))
        except NothingHeld:
            return False
        return True

    if not consult(path, discard):
        end("it is not held any more, a later sync took its place: relay directory diff", FAILED)
    if as_json:
        click.echo(json.dumps({"discarded": len(lines), "days": WINDOW_DAYS}))
    else:
        click.echo(f"{counted(len(lines), 'change')} discarded, left out by syncs for {WINDOW_DAYS} days")


async def _harmful(loaded: Loaded, ledger: SqlLedger, registry: Registry, changes: RegistryChanges) -> RegistryChanges:
    """What of a held sync harms somebody: the rest may be taken when the portal tells it again."""
    portal, now = loaded.settings.portal, int(time.time())
    if portal is None:
        return changes
    past = await ledger.registry.past(now - max(WINDOW_S, portal.forget_days * _DAY_S))
    return only(changes, judge(registry, changes, past, portal.guard, loaded.settings.relay.org_code, now).harmful)


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
        "files_without_member": sorted(files - members) if registry.number else [],
    }


def _size(changes: RegistryChanges) -> int:
    return len(changes.organisations) + len(changes.services)


def _organisation(one: Organisation, services: list[RegisteredService]) -> dict[str, Any]:
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


def _difference(held: Held | None, lines: list[str]) -> dict[str, Any]:
    return {
        "held_since": moment(held.since) if held is not None else None,
        "reasons": list(held.reasons) if held is not None else [],
        "changes": lines,
    }


def _words(held: Held | None, lines: list[str]) -> list[str]:
    why = [] if held is None else [f"held back since {clock(moment(held.since))}:", *held.reasons]
    return [*why, *lines]


def _show_standing(told: dict[str, Any], registry: Registry) -> None:
    if told["synced"] is None:
        click.echo("the portal was never heard: see relay jobs list")
        return
    click.echo(
        f"{counted(len(registry.organisations), 'organisation')}, {counted(len(registry.services), 'service')}, "
        f"heard {clock(told['synced'])}, {told['age_s']} s ago (change {told['number']})"
    )
    if told["held_since"]:
        click.echo(f"a sync is held back since {clock(told['held_since'])}: relay directory diff")
    for each in told["discarded"]:
        click.echo(f"{counted(each['changes'], 'change')} discarded {clock(each['at'])}: {each['reason']}")
    for key, words in (
        ("members_without_file", "members of ours without a file in providers/"),
        ("files_without_member", "files in providers/ the portal lists as no member of ours"),
    ):
        if told[key]:
            click.echo(f"{words}: {', '.join(told[key])}")


def _show_all(organisations: list[dict[str, Any]]) -> None:
    if not organisations:
        return
    click.echo()
    heads = ("org_code", "type", "serial_num", "addresses", "services", "name")
    names = ("org_code", "org_type", "serial_num", "addresses", "services", "name")
    shown = ({**one, "addresses": len(one["addresses"]), "services": len(one["services"])} for one in organisations)
    print_table(heads, rows_of(shown, *names), right=("addresses", "services"))


def _show_one(one: dict[str, Any]) -> None:
    click.echo()
    for name, value in one.items():
        if name != "services" and value not in ("", [], False):
            click.echo(f"{name:<14}{', '.join(value) if isinstance(value, list) else value}")
    for each in one["services"]:
        click.echo(f"\nservice       {each['client_id']} {each['name']}")
        for name in ("callbacks", "app_schemes"):
            for value in each[name]:
                click.echo(f"  {name.removesuffix('s').replace('_', ' '):<12}{value}")
