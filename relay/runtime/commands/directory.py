"""`relay directory`: shows, compares and syncs the portal's registry; releases or discards held changes."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from relay.domain.jobs import JobState
from relay.domain.korea import DAY_S
from relay.domain.registry import (
    Discard,
    HeldSync,
    NoHeldSync,
    RegisteredService,
    Registry,
    RegistryChanges,
)
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.policy.registry.changes import describe_differences, select
from relay.policy.registry.guard import WINDOW_DAYS, WINDOW_S, judge
from relay.runtime.commands.directory_output import (
    build_difference,
    build_discard,
    build_organisation,
    build_status,
    describe_held,
    print_organisation,
    print_organisations,
    print_status,
)
from relay.runtime.commands.ledger_session import require_portal, run_job, with_ledger
from relay.runtime.commands.options import config_option, json_option
from relay.runtime.commands.printing import EXIT_FAILED, EXIT_UNUSABLE, exit_with, pluralize
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.wiring.jobs import preview_changes

_MAX_REASON: Final = 200
_HINT: Final = "see it: relay directory diff; apply it: relay directory release; reject it: relay directory discard"
_NOT_HELD: Final = "it is not held any more: a later sync replaced it; see relay directory diff"


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

    async def look(
        loaded: LoadedSettings, ledger: SqlLedger
    ) -> tuple[LoadedSettings, Registry, HeldSync | None, Sequence[Discard]]:
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
        **build_status(loaded, registry, held),
        "discarded": [build_discard(each) for each in discarded],
        "organisations": [build_organisation(each, services.get(each.org_code, [])) for each in organisations],
    }
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False, indent=2))
        return
    print_status(result, registry)
    if org_code is None:
        print_organisations(result["organisations"])
    else:
        print_organisation(result["organisations"][0])


@command.command("diff")
@config_option
@json_option
def diff_(path: Path, *, as_json: bool) -> None:
    """Show held changes, or what a sync would change.

    Without held changes it fetches the whole registry from the portal. It applies nothing.
    """

    async def look(loaded: LoadedSettings, ledger: SqlLedger) -> tuple[Registry, HeldSync | None, RegistryChanges]:
        require_portal(loaded)
        held = await ledger.registry.held()
        changes = held.changes if held is not None else await preview_changes(loaded, ledger)
        return await ledger.registry.registry(), held, changes

    registry, held, changes = with_ledger(path, look)
    lines = list(describe_differences(registry, changes))
    if as_json:
        click.echo(json.dumps(build_difference(held, lines), ensure_ascii=False))
    else:
        for line in describe_held(held, lines) or ("nothing differs",):
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

    async def work(loaded: LoadedSettings, ledger: SqlLedger) -> tuple[JobState, HeldSync | None]:
        require_portal(loaded)
        state = await run_job(loaded, ledger, "directory_full" if full else "directory")
        return state, await ledger.registry.held()

    state, held = with_ledger(path, work)
    has_failed = bool(state.failures)
    if as_json:
        result = {"result": state.result, "failed": has_failed, "held": held is not None}
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        click.echo(state.result, err=has_failed)
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

    async def look(loaded: LoadedSettings, ledger: SqlLedger) -> tuple[HeldSync | None, list[str]]:
        require_portal(loaded)
        held = await ledger.registry.held()
        return held, [] if held is None else list(describe_differences(await ledger.registry.registry(), held.changes))

    held, lines = with_ledger(path, look)
    if held is None:
        exit_with("no changes are held", EXIT_UNUSABLE)
    if not yes:
        for line in describe_held(held, lines):
            click.echo(line, err=True)
        click.confirm("apply these changes", abort=True, err=True)

    async def release(_: LoadedSettings, ledger: SqlLedger) -> int | None:
        try:
            return await ledger.registry.release(held.hold_id, int(time.time()))
        except NoHeldSync:
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
    if not reason.strip() or not reason.isprintable() or len(reason) > _MAX_REASON:
        exit_with(f"--reason: write one line of 1 to {_MAX_REASON} printable characters", EXIT_UNUSABLE)

    async def look(
        loaded: LoadedSettings, ledger: SqlLedger
    ) -> tuple[HeldSync | None, RegistryChanges | None, list[str]]:
        require_portal(loaded)
        held = await ledger.registry.held()
        if held is None:
            return None, None, []
        registry = await ledger.registry.registry()
        harmful = await _harmful(loaded, ledger, registry, held.changes)
        return held, harmful, list(describe_differences(registry, harmful))

    held, harmful, lines = with_ledger(path, look)
    if held is None or harmful is None:
        exit_with("no changes are held", EXIT_UNUSABLE)
    if not yes:
        for line in describe_held(held, lines):
            click.echo(line, err=True)
        click.confirm("discard these changes", abort=True, err=True)

    async def discard(_: LoadedSettings, ledger: SqlLedger) -> bool:
        try:
            await ledger.registry.discard(held.hold_id, harmful, reason.strip(), int(time.time()))
        except NoHeldSync:
            return False
        return True

    if not with_ledger(path, discard):
        exit_with(_NOT_HELD, EXIT_FAILED)
    if as_json:
        click.echo(json.dumps({"discarded": len(lines), "days": WINDOW_DAYS}))
    else:
        click.echo(f"{pluralize(len(lines), 'change')} discarded; syncs skip them for {WINDOW_DAYS} days")


async def _harmful(
    loaded: LoadedSettings, ledger: SqlLedger, registry: Registry, changes: RegistryChanges
) -> RegistryChanges:
    """Returns the harmful part of held changes; a later sync may apply the rest."""
    portal, now = loaded.settings.portal, int(time.time())
    if portal is None:
        return changes
    past = await ledger.registry.past(now - max(WINDOW_S, portal.forget_days * DAY_S))
    return select(changes, judge(registry, changes, past, portal.guard, loaded.settings.relay.org_code, now).harmful)
