"""`relay probe`: calls one institution and shows each step, where it fails and why."""

import asyncio
import json
import os
import secrets
import string
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from relay.infra.diagnostics.probe import Probe, Step
from relay.infra.upstream.tls import TlsError
from relay.policy.settings.directory import Language, Provider
from relay.policy.settings.scalars import ProviderTimeouts
from relay.runtime.commands.options import config_option
from relay.runtime.commands.printing import EXIT_FAILED, EXIT_UNUSABLE, exit_with, print_table
from relay.runtime.settings.file_references import SecretMissing
from relay.runtime.settings.loading import SettingsError, load_settings
from relay.runtime.wiring.credentials import CredentialError, build_institution_context

_SERIAL: Final = string.digits + string.ascii_uppercase


@click.command(
    "probe",
    epilog="""\b
Examples:
  relay probe ZBAA000001                each of its base_urls, step by step
  relay probe ZBAA000001 -c /etc/relay/relay.yaml
  relay probe ZBAA000001 --json | jq '.[] | select(.ok | not)'
\b
Steps: dns, connect, tls (not on a leased line), request, answer.
The call is GET /INDUSTRY/apis; it names no customer.
Exit code 0 when every step succeeded, 1 when one failed,
2 when the settings cannot be used.""",
)
@click.argument("org_code")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of {base_url, step, ok, ms, detail}.")
def command(org_code: str, path: Path, as_json: bool) -> None:
    """Call the institution ORG_CODE and show DNS, connection, TLS, request and answer."""
    try:
        loaded = load_settings(path, os.environ)
        provider = next((provider for provider in loaded.providers if provider.org_code == org_code), None)
        if provider is None:
            exit_with(f"{org_code}: no institution of {path} has this org_code", EXIT_UNUSABLE)
        if provider.needs_adapter:
            is_telegram = provider.speaks is Language.TELEGRAM
            language, command = (
                ("telegrams", "relay telegram try") if is_telegram else ("JSON of its own", "relay conform")
            )
            reason = f"it speaks {language}; `{command}` calls its core"
            exit_with(f"{org_code}: `relay probe` calls APIs of the standard; {reason}", EXIT_UNUSABLE)
        relay = loaded.settings.relay.org_code
        tran_id = f"{relay}R{''.join(secrets.choice(_SERIAL) for _ in range(14))}"
        steps = asyncio.run(_probe(provider, tran_id))
    except SettingsError as problems:
        exit_with(str(problems), EXIT_UNUSABLE)
    except (TlsError, CredentialError, SecretMissing) as error:
        exit_with(str(error), EXIT_UNUSABLE)
    if as_json:
        click.echo(json.dumps([asdict(step) for step in steps], ensure_ascii=False, indent=2))
    else:
        rows = (
            [step.base_url, step.step, "ok" if step.ok else "FAILED", f"{step.ms:.1f}", step.detail] for step in steps
        )
        print_table(("base_url", "step", "result", "ms", "detail"), rows, right={"ms"})
    if not all(step.ok for step in steps):
        raise SystemExit(EXIT_FAILED)


async def _probe(provider: Provider, tran_id: str) -> list[Step]:
    context, timeouts = build_institution_context(provider), provider.timeouts or ProviderTimeouts()
    target = f"/{provider.industry}/apis?org_code={provider.org_code}"
    probes = [Probe(url, context, timeouts, target, tran_id) for url in provider.base_urls]
    return [step for probe in probes for step in await probe.run()]
