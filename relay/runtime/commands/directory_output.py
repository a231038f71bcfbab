"""What `relay directory` prints of the registry, for people and as JSON."""

import time
from typing import Any

import click

from relay.domain.registry import Discard, HeldSync, Organisation, RegisteredService, Registry
from relay.runtime.commands.ledger_session import format_time
from relay.runtime.commands.printing import format_local, pluralize, print_table, table_rows
from relay.runtime.settings.loading import LoadedSettings


def build_status(loaded: LoadedSettings, registry: Registry, held: HeldSync | None) -> dict[str, Any]:
    """Returns when the registry was synced, what is held, and which members have no file."""
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


def build_discard(discarded: Discard) -> dict[str, Any]:
    """Returns when, why and how many changes were discarded."""
    changes = len(discarded.changes.organisations) + len(discarded.changes.services)
    return {"at": format_time(discarded.at), "reason": discarded.reason, "changes": changes}


def build_organisation(organisation: Organisation, services: list[RegisteredService]) -> dict[str, Any]:
    """Returns an organisation with its services."""
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


def build_difference(held: HeldSync | None, lines: list[str]) -> dict[str, Any]:
    """Returns held changes with their reasons."""
    return {
        "held_since": format_time(held.since) if held is not None else None,
        "reasons": list(held.reasons) if held is not None else [],
        "changes": lines,
    }


def describe_held(held: HeldSync | None, lines: list[str]) -> list[str]:
    """Returns the lines of held changes, after their reasons."""
    reasons = [] if held is None else [f"held since {format_local(format_time(held.since))}:", *held.reasons]
    return [*reasons, *lines]


def print_status(status: dict[str, Any], registry: Registry) -> None:
    """Prints what `build_status` returned."""
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


def print_organisations(organisations: list[dict[str, Any]]) -> None:
    """Prints a table of organisations."""
    if not organisations:
        return
    click.echo()
    heads = ("org_code", "type", "serial_num", "addresses", "services", "name")
    names = ("org_code", "org_type", "serial_num", "addresses", "services", "name")
    rows = ({**each, "addresses": len(each["addresses"]), "services": len(each["services"])} for each in organisations)
    print_table(heads, table_rows(rows, *names), right=("addresses", "services"))


def print_organisation(organisation: dict[str, Any]) -> None:
    """Prints one organisation with its services."""
    click.echo()
    for name, value in organisation.items():
        if name != "services" and value not in ("", [], False):
            click.echo(f"{name:<14}{', '.join(value) if isinstance(value, list) else value}")
    for service in organisation["services"]:
        click.echo(f"\nservice       {service['client_id']} {service['name']}")
        for name in ("callbacks", "app_schemes"):
            for value in service[name]:
                click.echo(f"  {name.removesuffix('s').replace('_', ' '):<12}{value}")
